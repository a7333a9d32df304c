"""Whether the pages show demo data, and by which name the demo knows the person who signed in."""

from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from fastapi import Request

from api.access.auth import Caller
from api.console.calls import CallProblem, Calls

CACHE_SECONDS: Final = 60.0
MAX_PARTIES: Final = 1_000
NOBODY: Final = Caller("", "", "")  # the route is for everyone


@dataclass(frozen=True)
class DemoBanner:
    """What a page shows of the demo: whether the data is made up, and a name for the party, by language."""

    is_demo: bool
    names: dict[str, str]
    read_at: float


async def demo_mark(request: Request, party: str) -> DemoBanner:
    """The mark for a page of this party, at most a minute old. If the API does not answer, the page goes without."""
    state = request.app.state
    marks: dict[str, DemoBanner] = getattr(state, "demo_marks", {})
    mark = marks.get(party)
    if mark is None or monotonic() - mark.read_at > CACHE_SECONDS:
        if len(marks) >= MAX_PARTIES:
            marks.clear()
        mark = marks[party] = await _read(request, party)
        state.demo_marks = marks
    return mark


async def _read(request: Request, party: str) -> DemoBanner:
    query: dict[str, Any] = {"parties": party} if party and "," not in party else {}
    try:
        answer = await Calls(request.app, NOBODY, "en").get("/v1/demo", **query)
    except CallProblem:
        return DemoBanner(is_demo=False, names={}, read_at=monotonic())
    return DemoBanner(answer["demo"], answer["names"].get(party, {}), monotonic())
