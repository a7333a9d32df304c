"""A history, a word at a time, says what all versions say that are worked out anew."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from graph.events import SCHEMA
from graph.versions import History, retracted, versions

START = datetime(2024, 1, 1, tzinfo=UTC)
SETTINGS: tuple[dict[str, Any], ...] = (
    {"strength": 3},
    {"strength": -2},
    {"tie": "vouch"},
    {"tie": "friend", "strength": 1},
    {"amount": 5},
)


def row(at: int, **columns: object) -> dict[str, object]:
    return {**dict.fromkeys(SCHEMA), "contributor": "club", "recorded_at": START + timedelta(days=at), **columns}


def word(rng: random.Random, at: int) -> dict[str, object]:
    if rng.random() < 0.5:
        return row(at, kind="event.retracted", event_id=f"r{at}", ref_event=f"c{rng.randrange(12)}")
    return row(at, kind="event.corrected", event_id=f"c{at}", ref_event="t", fields=json.dumps(rng.choice(SETTINGS)))


def test_a_history_says_what_the_last_version_says_after_each_word() -> None:
    rng = random.Random(3)
    for _ in range(200):
        event = row(0, kind="tie.formed", event_id="t", subject="ann", other="bob", tie="friend", strength=5)
        history, said = History(event), list[dict[str, object]]()
        for at in range(12):
            said.append(word(rng, at))
            expected = versions(event, said)[-1].row
            assert history.after(said[-1]) == expected
            history.add(said[-1])
            assert history.row == expected
        before = history.retracted
        history.add(taken := row(13, kind="event.retracted", event_id="r", ref_event="t"))
        assert (before, history.retracted) == (False, True)
        assert retracted(event, [*said, taken]) == taken["recorded_at"]
