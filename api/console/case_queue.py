"""The cases of both kinds that wait, in one order: by deadline, then by kind and id. We merge the lists of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from api.console.calls import CallProblem, part
from api.console.navigation import N_
from api.console.visits import Visit
from api.store.clock import micros


@dataclass(frozen=True)
class CaseKind:
    """How one kind of case is named in the API and on the page."""

    path: str  # of the list, in /v1 and under /cases
    id_field: str
    answer: str  # the action that answers it
    answered_by: str
    answered_at: str
    outcomes: tuple[tuple[str, str, str], ...]  # code, name, what happens


KINDS: Final = {
    "disputes": CaseKind(
        "disputes",
        "dispute_id",
        "resolve",
        "resolved_by",
        "resolved_at",
        (
            ("upheld", N_("The person is right"), N_("The item stays out of the score for good.")),
            ("rejected", N_("The item is right"), N_("The item counts again, from now on.")),
        ),
    ),
    "reviews": CaseKind(
        "reviews",
        "review_id",
        "answer",
        "answered_by",
        "answered_at",
        (
            ("stands", N_("The decision was right"), N_("The answer to the merchant stands as it is recorded.")),
            (
                "mistaken",
                N_("The decision was mistaken"),
                N_(
                    "The record stays, and the merchant may ask again. Have the cause corrected: the evidence or a rule."
                ),
            ),
        ),
    ),
}


class CasePlace(NamedTuple):
    """A place in the order of all cases: deadline in microseconds, kind, id."""

    due_at: int
    kind: str
    id: str

    @classmethod
    def of(cls, case: Mapping[str, Any]) -> "CasePlace":
        """The place of a row."""
        return cls(micros(datetime.fromisoformat(case["due_at"])), case["kind"], case["id"])

    @classmethod
    def parse(cls, text: str | None) -> "CasePlace | None":
        """The place that an address names; None: the beginning."""
        due_at, kind, name = [*(text or "").split("-"), "", "", ""][:3]
        return cls(int(due_at), kind, name) if due_at.isdecimal() and kind in KINDS and name else None

    def __str__(self) -> str:
        return f"{self.due_at}-{self.kind}-{self.id}"

    def cursor(self, kind: str) -> str:
        """The cursor of the API for the cases of a kind that follow: at the same deadline all those of a later kind."""
        name = self.id if kind == self.kind else "-" if kind > self.kind else "z" * 64
        return f"{self.due_at}-{name}"


async def waiting_cases(visit: Visit, after: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
    """The cases that wait after a place, the most urgent first, and the place of the page that follows, if there is one."""
    place = CasePlace.parse(after)
    rows, is_more = list[dict[str, Any]](), False
    for kind in KINDS:
        page = await visit.api.get(f"/v1/{kind}", open=True, after=place and place.cursor(kind), limit=limit)
        rows += [case_row(kind, case) for case in page["items"]]
        is_more |= page["next"] is not None
    rows.sort(key=CasePlace.of)
    following = str(CasePlace.of(rows[limit - 1])) if len(rows) > limit or is_more else None
    return rows[:limit], following


async def next_address(visit: Visit, skip: str) -> str:
    """The address of the case that follows the case `skip`; after the last, of the first; without any, that of the list."""
    place = await _place_of(visit, skip) if skip else None
    rows = (await waiting_cases(visit, str(place), 1))[0] if place else []
    rows = rows or (await waiting_cases(visit, None, 1))[0]
    remaining = [row for row in rows if row["id"] != skip]
    return f"/cases/{remaining[0]['kind']}/{remaining[0]['id']}" if remaining else "/cases"


async def _place_of(visit: Visit, name: str) -> CasePlace | None:
    for kind in KINDS:
        try:
            return CasePlace.of(case_row(kind, await visit.api.get(f"/v1/{kind}/{part(name)}")))
        except CallProblem as problem:
            if problem.status not in (404, 422):
                raise
    return None


def case_row(kind: str, case: Mapping[str, Any]) -> dict[str, Any]:
    """A case of the API with its kind and id."""
    return dict(case) | {"kind": kind, "id": case[KINDS[kind].id_field]}
