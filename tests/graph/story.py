"""Write small stories as text, one event a line, so that you can check a test by reading it.

    2024-03-01 payment.made ann > shop amount=100 currency=CNY

You can add: `@bank` for the contributor (the default), `#e7` for the id, `recorded=` for the time when we recorded it
(default: at once).
"""

from datetime import UTC, date, datetime

import polars as pl

from graph.evidence.events import SCHEMA
from graph.evidence.vocabulary import CLASSES
from tests.strategies import frame

LONG_AGO = "2000-01-01"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def story(text: str) -> pl.DataFrame:
    lines = [line.split() for line in text.splitlines() if line.strip()]
    return frame([event(words, f"n{number}") for number, words in enumerate(lines)])


def event(words: list[str], event_id: str) -> dict[str, object]:
    at, kind, subject, *rest = words
    row: dict[str, object] = {"contributor": "bank", "event_id": event_id, "kind": kind, "subject": subject}
    row["happened_at"] = row["recorded_at"] = moment(at)
    if rest[:1] == [">"]:
        row["other"], rest = rest[1], rest[2:]
    for word in rest:
        if word[0] in "@#":
            row["contributor" if word[0] == "@" else "event_id"] = word[1:]
        else:
            name, _, value = word.partition("=")
            row["recorded_at" if name == "recorded" else name] = parse_value(name, value)
    return row


def parse_value(name: str, value: str) -> object:
    if name in ("until", "recorded"):
        return moment(value)
    if name == "due":
        return date.fromisoformat(value)
    return int(value) if SCHEMA[name] == pl.Int64 else value


def enrol(*people: str, classes: str = ",".join(CLASSES), level: int = 2) -> str:
    """Lines that enrol people long ago and have them consent."""
    return "\n".join(
        f"{LONG_AGO} person.enrolled {p} @desk #enrol-{p} identity_level={level}\n"
        f"{LONG_AGO} consent.granted {p} @desk #consent-{p} purpose=perks classes={classes}"
        for p in people
    )
