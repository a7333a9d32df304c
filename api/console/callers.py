"""*Callers*: the callbacks that merchants did not receive, the services, and the tokens without their secrets."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from api.console.visits import PageRoute, Visit, visit_as

router = APIRouter(prefix="/callers", route_class=PageRoute, include_in_schema=False)

STATES: Final = ("failed", "waiting", "sent")
CallerVisit = Annotated[Visit, Depends(visit_as("operator", "admin"))]
After = Annotated[str | None, Query(max_length=300)]
State = Annotated[str, Query(pattern=f"^({'|'.join(STATES)})$")]


@router.get("")
async def show_callers(visit: CallerVisit, state: State = "failed", after: After = None) -> Response:
    """Callbacks in one state, a page at a time."""
    callbacks = await visit.api.get("/v1/callers/callbacks", state=state, after=after)
    return visit.page("callers.html", callbacks=callbacks, state=state, states=STATES)


@router.get("/services")
async def show_services(visit: CallerVisit, after: After = None) -> Response:
    """The services of all merchants."""
    return visit.page("callers_services.html", services=await visit.api.get("/v1/callers/services", after=after))


@router.get("/tokens")
async def show_tokens(visit: CallerVisit, after: After = None) -> Response:
    """Tokens without secrets."""
    tokens = await visit.api.get("/v1/callers/tokens", after=after)
    expired = {
        token["id"]
        for token in tokens["items"]
        if token["expires_at"] and datetime.fromisoformat(token["expires_at"]) <= visit.now
    }
    return visit.page("callers_tokens.html", tokens=tokens, expired=expired)


@router.post("/callbacks/{message}/resend")
async def resend(visit: CallerVisit, message: Annotated[str, Path(pattern="^[A-Za-z0-9_]{1,60}$")]) -> Response:
    """Send a callback again."""
    await visit.api.post(f"/v1/callers/callbacks/{message}/resend")
    return visit.see_other("/callers", "callback_resent", state="waiting")
