"""A merchant's day: every move of its orders, none of others', the same for ever, with a hash to check it by."""

import base64
import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from api.world import World
from tests.api.door import refused
from tests.api.ordering import Counter


@pytest.fixture
def counter(town: World) -> Counter:
    counter = Counter(town)
    counter.now = datetime.combine(counter.now.date(), datetime.min.time(), UTC).replace(hour=1)  # 09:00 in Shanghai
    return counter


def test_a_day_has_every_move_of_the_merchants_orders_once_it_is_over(counter: Counter) -> None:
    day = counter.now.date()

    def asked(day_: Any = day, token: str | None = None) -> Any:
        address = f"/v1/reconciliation/{day_}"
        return counter.client.get(address, headers=counter.bearer(token or counter.token))

    counter.due()
    counter.later(hours=14, minutes=59)
    assert counter.do("O-1", "pay").status_code == 200
    refused(asked(), 409, "day_not_over")
    counter.later(minutes=11)
    assert counter.order("O-2").status_code == 201  # of the next day
    answer = asked()
    moves = [json.loads(line) for line in answer.text.splitlines()]
    assert [(m["action"], m["state"], m["total_amount"]) for m in moves] == [
        *(("create", "created", None), ("confirm", "in_service", None)),
        *(("complete", "due", 40_000), ("pay", "settled", 40_000)),
    ]
    hashed = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
    assert answer.headers["content-digest"] == f"sha-256=:{hashed}:"
    assert counter.person not in answer.text
    counter.later(days=400)
    assert asked().content == answer.content
    assert asked(token=counter.issue("merchant", "lodge")).content == b""
    refused(asked("yesterday"), 422, "bad_request")
    assert asked("9999-12-31").status_code == 409
    assert asked("0001-01-01").content == b""


def test_a_day_is_the_rules_day_not_that_of_utc(counter: Counter) -> None:
    """At 23:30 UTC it is 07:30 of the next day in Shanghai."""
    day = counter.now.date()
    counter.later(hours=22, minutes=30)
    assert counter.order("O-1").status_code == 201
    counter.later(days=2)

    def moves(day_: date) -> list[str]:
        answer = counter.client.get(f"/v1/reconciliation/{day_}", headers=counter.bearer(counter.token))
        return [json.loads(line)["at"][:16] for line in answer.text.splitlines()]

    assert moves(day) == []
    assert moves(day + timedelta(days=1)) == [f"{day}T23:30"]
