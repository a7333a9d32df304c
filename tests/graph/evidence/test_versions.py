"""A history built statement by statement equals the versions computed from all statements at once."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from graph.evidence.events import SCHEMA
from graph.evidence.versions import EventHistory, retracted_at, versions

START = datetime(2024, 1, 1, tzinfo=UTC)
CORRECTED_FIELDS: tuple[dict[str, Any], ...] = (
    {"strength": 3},
    {"strength": -2},
    {"tie": "vouch"},
    {"tie": "friend", "strength": 1},
    {"amount": 5},
)


def row(at: int, **columns: object) -> dict[str, object]:
    return {**dict.fromkeys(SCHEMA), "contributor": "club", "recorded_at": START + timedelta(days=at), **columns}


def statement(rng: random.Random, at: int) -> dict[str, object]:
    if rng.random() < 0.5:
        return row(at, kind="event.retracted", event_id=f"r{at}", ref_event=f"c{rng.randrange(12)}")
    return row(
        at, kind="event.corrected", event_id=f"c{at}", ref_event="t", fields=json.dumps(rng.choice(CORRECTED_FIELDS))
    )


def test_a_history_equals_the_last_version_after_each_statement() -> None:
    rng = random.Random(3)
    for _ in range(200):
        event = row(0, kind="tie.formed", event_id="t", subject="ann", other="bob", tie="friend", strength=5)
        history, statements = EventHistory(event), list[dict[str, object]]()
        for at in range(12):
            statements.append(statement(rng, at))
            expected = versions(event, statements)[-1].row
            assert history.row_after(statements[-1]) == expected
            history.add(statements[-1])
            assert history.row == expected
        before = history.retracted
        history.add(retraction := row(13, kind="event.retracted", event_id="r", ref_event="t"))
        assert (before, history.retracted) == (False, True)
        assert retracted_at(event, [*statements, retraction]) == retraction["recorded_at"]
