"""Random events of a random line of business, as contributors send them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

from graph.evidence.vocabulary import EventField, EventVocabulary
from tests.random_business import CLASSES, DAY, DAYS, MOMENT, NOW, PEOPLE, SHOP, Row


@dataclass
class EventWriter:
    """Writes random events of a business, one after the other, as contributors send them."""

    chooser: Random
    vocabulary: EventVocabulary
    now: datetime = NOW
    numbers: "count[int]" = field(default_factory=count)

    def event(self, subject: str = "", kind: str = "", other: str = "", years: int = 9) -> Row:
        """An event of a declared kind, at most so many years old."""
        chooser = self.chooser
        of = self.vocabulary.kind(kind or chooser.choice([k.name for k in self.vocabulary.declared_kinds]))
        subject = subject or chooser.choice(PEOPLE)
        number = next(self.numbers)
        row: Row = {
            "event_id": chooser.choice([f"e{number}", f"of-{subject}-{number}"]),
            "kind": of.name,
            "subject": subject,
            "happened_at": iso(self.moment(years)),
        }
        if "other" in of.required or ("other" in of.fields and chooser.random() < 0.6):
            row["other"] = other or chooser.choice([p for p in (*PEOPLE, SHOP) if p != subject])
        currencies = {currency for _, currency in self.vocabulary.money_of(of)}
        for name in of.fields:
            if (
                name in currencies
                or name == "other"
                or not (name in (*of.required, "strength") or chooser.random() < 0.6)
            ):
                continue
            row |= self.values(name)
        return row

    def moment(self, years: int = 9) -> datetime:
        """A moment, often at the edge of a window or of a retention."""
        edges = [0, 1, 30, 365, 366, 3 * 365, 3 * 365 + 1, 5 * 365 + 1, 5 * 365 + 2, 2500]
        at = self.now - self.chooser.choice([d for d in edges if d <= years * 366]) * DAY
        return at - self.chooser.choice([0 * DAY, 0 * DAY, MOMENT, timedelta(hours=13)])

    def values(self, name: str) -> Row:
        """A random value of a field, with the currency of money."""
        chooser, of = self.chooser, self.vocabulary.extra_fields.get(name)
        if of is None:
            return self._column(name)
        if of.type == "money":
            low = 0 if of.low == 0 else -500
            return {name: chooser.randint(low, 9000), of.currency_field: chooser.choice(["EUR", "EUR", "CNY", "JPY"])}
        return {name: self._value(of)}

    def _value(self, of: EventField) -> Any:
        chooser = self.chooser
        if of.type == "decimal":
            number = Decimal(chooser.randint(-4000, 4000)).scaleb(-of.digits)
            return chooser.choice([str(number), float(number)])
        if of.type == "moment":
            zone = chooser.choice(["Z", "+08:00", "-03:30"])
            return f"2024-0{chooser.randint(1, 3)}-1{chooser.randint(0, 9)}T0{chooser.randint(0, 9)}:30:00{zone}"
        choices: dict[str, list[Any]] = {
            "bool": [True, False],
            "int": [-5, 0, 3, 40],
            "enum": list(of.values),
            "date": [*DAYS, "2019-12-31"],
            "party": [*PEOPLE, SHOP],
        }
        return chooser.choice(choices[of.type]) if of.type in choices else self.text()

    def _column(self, name: str) -> Row:
        chooser = self.chooser
        columns: dict[str, Row] = {
            "amount": {"amount": chooser.randint(0, 9000), "currency": chooser.choice(["EUR", "EUR", "CNY"])},
            "days_late": {"days_late": chooser.choice([0, 2, 40])},
            "obligation": {"obligation": chooser.choice(["loan", self.text()])},
            "service": {"service": self.text()},
            "due": {"due": chooser.choice([*DAYS])},
            "category": {"category": chooser.choice(["wage", "transfer", "groceries"])},
            "channel": {"channel": chooser.choice(["card", "cash"])},
            "tie": {"tie": chooser.choice(["friend", "friend", "vouch"])},
            "strength": {"strength": chooser.randint(1, 9)},
        }
        return columns[name]

    def text(self) -> str:
        """A text that occurs nowhere else, now and then with letters that files must escape."""
        marks = ["plain", 'quo"te', "back\\slash", "comma,semi;", "伞 umbrella", "per%cent_", "<b>&amp;"]
        return f"needle{self.chooser.randrange(10**9):09d}x {self.chooser.choice(marks)}"

    def correction(self, row: Row, event_id: str = "") -> tuple[Row, Row]:
        """A correction of an event, and the event as it is with it."""
        of = self.vocabulary.kind(row["kind"])
        currencies = {currency for _, currency in self.vocabulary.money_of(of)}
        names = [n for n in of.fields if n not in (*currencies, "other") and n in row]
        new: Row = {}
        for name in self.chooser.sample(names, self.chooser.randint(0, len(names))):
            new |= self.values(name)
        if not new or self.chooser.random() < 0.3:
            new["happened_at"] = iso(self.moment())
        if "other" in row and self.chooser.random() < 0.3:
            new["other"] = self.chooser.choice([p for p in (*PEOPLE, SHOP) if p != row["subject"]])
        if row["kind"].startswith("tie."):
            new = {"strength": self.chooser.randint(1, 9)} if row["kind"] == "tie.formed" else {"other": row["other"]}
        about = {"kind": "event.corrected", "subject": row["subject"], "ref_event": row["event_id"], "fields": new}
        correction = {"event_id": event_id or f"c{next(self.numbers)}", "happened_at": iso(self.now), **about}
        return correction, {**row, **new}


def iso(at: datetime) -> str:
    """A moment as contributors write it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def needles(rows: Sequence[Row]) -> set[str]:
    """The texts of events that occur nowhere else, as far as every format writes them alike."""
    text = json.dumps(rows, ensure_ascii=False)
    return {f"needle{part[:9]}x" for part in text.split("needle")[1:]}


def enrolment(person: str, at: datetime = NOW - 3650 * DAY) -> Row:
    """The event that enrols a person."""
    return {
        "event_id": f"enrol-{person}",
        "kind": "person.enrolled",
        "subject": person,
        "happened_at": iso(at),
        "identity_level": 2,
    }


def consent(person: str, classes: Sequence[str] = CLASSES, purpose: str = "perks", **more: Any) -> Row:
    """A consent of long ago."""
    at = iso(NOW - 3650 * DAY)
    about = {"kind": "consent.granted", "subject": person, "happened_at": at, "purpose": purpose}
    return {"event_id": f"consent-{person}", **about, "classes": ",".join(classes), **more}
