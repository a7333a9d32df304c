"""Define the report of whom a change of rules moves: the swap set, counted in several ways."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MIN_GROUP: Final = 10  # people: a smaller group could show what happens to one person
SMALL_GROUPS: Final = "groups of fewer than 10"

Direction = str  # more, less or other: the waived amount grows, shrinks, or only the outcome changes
MORE, LESS, OTHER = "more", "less", "other"


@dataclass(frozen=True)
class MovedPerson:
    """A person who is moved, in the sample. Amounts are in minor units."""

    person: str
    old_outcome: str
    new_outcome: str
    old_waived: int
    new_waived: int
    account: str


@dataclass
class SwapCounts:
    """The counts of one perk, or of the bands of the score. `amount` is the deposit in the question; None: each its own."""

    name: str
    currency: str = ""
    digits: int = 0
    amount: int | None = None
    matrix: Counter[tuple[str, str]] = field(default_factory=Counter)  # old and new outcome, or band
    waived_before: int = 0
    waived_after: int = 0
    moves: Counter[Direction] = field(default_factory=Counter)
    by_account: Counter[tuple[str, Direction]] = field(default_factory=Counter)
    by_band: Counter[tuple[str, Direction]] = field(default_factory=Counter)
    by_reason: Counter[tuple[str, Direction]] = field(default_factory=Counter)
    by_group: dict[str, Counter[tuple[str, Direction]]] = field(default_factory=dict)
    group_sizes: dict[str, Counter[str]] = field(default_factory=dict)
    sample: list[MovedPerson] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All people, or decisions."""
        return sum(self.matrix.values())

    @property
    def moved_total(self) -> int:
        """Those whose outcome or amount changes."""
        return sum(self.moves.values())

    def add(self, other: "SwapCounts") -> None:
        """Add the counts of other people, or of other days."""
        self.waived_before += other.waived_before
        self.waived_after += other.waived_after
        self.sample += other.sample
        for name in ("matrix", "moves", "by_account", "by_band", "by_reason"):
            getattr(self, name).update(getattr(other, name))
        for name, counter in other.by_group.items():
            self.by_group.setdefault(name, Counter()).update(counter)
        for name, sizes in other.group_sizes.items():
            self.group_sizes.setdefault(name, Counter()).update(sizes)

    def keep_sample(self, size: int) -> None:
        """Keep the first of the sample, by their ids."""
        self.sample = sorted(self.sample, key=lambda person: person.person)[:size]

    def groups(self, name: str) -> dict[str, dict[str, int]]:
        """For each value of a grouping, the people and the moves by direction. Values with too few people are one row."""
        rows: dict[str, dict[str, int]] = {}
        moves_by_group = self.by_group.get(name, Counter[tuple[str, Direction]]())  # none, if nobody is moved
        for value, size in sorted(self.group_sizes.get(name, Counter[str]()).items()):
            row = rows.setdefault(value if size >= MIN_GROUP else SMALL_GROUPS, Counter[str]())
            moves = {d: moves_by_group[value, d] for d in (MORE, LESS, OTHER)}
            for key, number in {"people": size, **moves}.items():
                row[key] = row.get(key, 0) + number
        small = rows.get(SMALL_GROUPS)
        if small and small["people"] < MIN_GROUP:
            del rows[SMALL_GROUPS]
        return rows


@dataclass(frozen=True)
class SwapReport:
    """Whom a change moves. `unit` says what we count: people or decisions. `lines` are the changes of the files, as text."""

    old: str
    new: str
    unit: str
    as_of: str
    lines: tuple[str, ...]
    changes: tuple[str, ...]
    bands: SwapCounts | None
    perks: tuple[SwapCounts, ...]

    def as_dict(self) -> dict[str, Any]:
        """All figures as plain values, for JSON. Amounts are in minor units."""
        return {
            "old": self.old,
            "new": self.new,
            "unit": self.unit,
            "as_of": self.as_of,
            "differences": list(self.lines),
            "changes": list(self.changes),
            "bands": _plain_counts(self.bands) if self.bands else None,
            "perks": [_plain_counts(perk) for perk in self.perks],
        }


def _plain_counts(counts: SwapCounts) -> dict[str, Any]:
    return {
        "name": counts.name,
        "currency": counts.currency,
        "amount": counts.amount,
        "total": counts.total,
        "moved": counts.moved_total,
        "moves": dict(sorted(counts.moves.items())),
        "matrix": [{"old": o, "new": n, "count": c} for (o, n), c in sorted(counts.matrix.items())],
        "waived_before": counts.waived_before,
        "waived_after": counts.waived_after,
        "by_rule": plain_rows(counts.by_account),
        "by_band": plain_rows(counts.by_band),
        "by_reason": plain_rows(counts.by_reason),
        "by_group": {name: counts.groups(name) for name in sorted(counts.group_sizes)},
        "sample": [vars(person) for person in counts.sample],
    }


def plain_rows(counter: Mapping[tuple[str, Direction], int]) -> list[dict[str, Any]]:
    """The rows of a count by direction, the largest first."""
    names = dict.fromkeys(name for name, _ in counter)
    rows = [{"name": name, **{d: counter.get((name, d), 0) for d in (MORE, LESS, OTHER)}} for name in names]
    return sorted(rows, key=lambda row: (-sum(int(row[d]) for d in (MORE, LESS, OTHER)), row["name"]))


def merge(total: Counter[Any], rows: Iterable[tuple[Any, int]]) -> None:
    """Add counts to a counter."""
    for key, number in rows:
        total[key] += number
