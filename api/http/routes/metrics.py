"""The route for monitoring: the metrics of a running server."""

import secrets
from ipaddress import ip_address
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from api.http import metrics
from api.http.dependencies import ContextDep, Now, RefreshProblemDep
from api.http.lanes import LanedRoute
from api.settings.settings import Settings, settings
from engine.errors import Rejected

router = APIRouter(tags=["operation"], route_class=LanedRoute)

TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/metrics", include_in_schema=False)  # not part of the public API, and for no role
def get_metrics(
    request: Request, context: ContextDep, refresh_problem: RefreshProblemDep, now: Now
) -> PlainTextResponse:
    """Read rates, latencies, outcomes, the release, and the age of the features. You need the setting `metrics_token`, or local access."""
    _authorize(request, settings())
    return PlainTextResponse(metrics.text(context, refresh_problem, now), media_type=TYPE)


def _authorize(request: Request, config: Settings) -> None:
    """Raise Rejected for a caller who may not read the metrics."""
    if config.metrics_token is None:
        if not _is_local(request):
            hint = "set `metrics_token` and send it, or ask from the machine itself"
            raise Rejected("metrics are not for everyone", where="Authorization", hint=hint, code="no_token")
        return
    authorization = request.headers.get("authorization", "")
    if not secrets.compare_digest(authorization.encode(), f"Bearer {config.metrics_token}".encode()):
        hint = "send the setting `metrics_token` as a bearer token"
        raise Rejected("the token is not valid", where="Authorization", hint=hint, code="bad_token")


def _is_local(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
