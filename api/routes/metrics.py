"""What a running server says of itself, for whoever watches it."""

import secrets
from ipaddress import ip_address
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from api import metrics
from api.deps import InWorld, Now, Stuck
from api.lanes import LanedRoute
from api.settings import Settings, settings
from engine.errors import Refused

router = APIRouter(tags=["operation"], route_class=LanedRoute)

TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/metrics", include_in_schema=False)  # no part of the interface, and of no role
def show(request: Request, world: InWorld, stuck: Stuck, now: Now) -> PlainTextResponse:
    """Rates, latencies, outcomes, the release, and how old what is served is. Needs the setting `metrics_token`, or this machine."""
    _admitted(request, settings())
    return PlainTextResponse(metrics.text(world, stuck, now), media_type=TYPE)


def _admitted(request: Request, chosen: Settings) -> None:
    """Raises Refused for whoever may not read it."""
    if chosen.metrics_token is None:
        if not _here(request):
            hint = "set `metrics_token` and send it, or ask from the machine itself"
            raise Refused("metrics are not for everyone", where="Authorization", hint=hint, code="no_token")
        return
    given = request.headers.get("authorization", "")
    if not secrets.compare_digest(given.encode(), f"Bearer {chosen.metrics_token}".encode()):
        hint = "send the setting `metrics_token` as a bearer token"
        raise Refused("the token is not valid", where="Authorization", hint=hint, code="bad_token")


def _here(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
