"""A merchant's day: every move of its orders, none of others', the same for ever, with a hash to check it by."""

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from api.world import World
from tests.api.door import refused
from tests.api.ordering import Counter


@pytest.fixture
def counter(town: World) -> Counter:
    counter = Counter(town)
    counter.now = datetime.combine(counter.now.date(), datetime.min.time(), UTC).replace(hour=9)
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
