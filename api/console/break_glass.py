"""Whether one person put the release in force there alone: each page of the people who answer for the rules says so, loudly."""

from datetime import datetime
from time import monotonic
from typing import Final, NamedTuple

from fastapi import Request

from api.console.calls import CallProblem, Calls
from api.console.demo import NOBODY

ROLES: Final = ("operator", "approver", "supervisor")
CACHE_SECONDS: Final = 3.0


class BreakGlass(NamedTuple):
    """The end of the break-glass; None: there is none. And when this process read it."""

    until: datetime | None
    read_at: float


async def break_glass_end(request: Request, role: str, now: datetime) -> datetime | None:
    """When a break-glass ends, for a page of this role; None: none is in force. At most a few seconds old.

    One read of the health serves all pages of this process meanwhile. Before the first build there is no health, and no answer either.
    """
    if role not in ROLES:
        return None
    state = request.app.state
    cached: BreakGlass | None = getattr(state, "break_glass", None)
    if cached is None or monotonic() - cached.read_at > CACHE_SECONDS:
        cached = state.break_glass = BreakGlass(await _read(request), monotonic())
    return cached.until if cached.until and cached.until > now else None


def forget_break_glass(request: Request) -> None:
    """Read it anew for the next page: somebody began or ended one here."""
    request.app.state.break_glass = None


async def _read(request: Request) -> datetime | None:
    try:
        health = await Calls(request.app, NOBODY, "en").get("/v1/health")
    except CallProblem:
        return None
    until = health["releases"]["break_glass_until"]
    return None if until is None else datetime.fromisoformat(until)
