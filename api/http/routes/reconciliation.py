"""The route for a merchant's reconciliation, one day at a time."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.http.dependencies import ContextDep, Merchant, Now
from api.http.fields import Day
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.orders import reconciliation

router = APIRouter(prefix="/v1/reconciliation", tags=["orders"], route_class=LanedRoute)

NDJSON = "application/x-ndjson"
_LINES = {
    "schema": {"type": "string", "description": "one JSON object a line"},
    "example": '{"at": "2026-01-31T10:30:00Z", "order_id": "0a7c", "out_order_no": "O-20260131-0001", "service": "rooms", '
    '"perk": "hotel", "action": "pay", "state": "settled", "currency": "CNY", "waived_amount": 50000, '
    '"total_amount": 40000}\n',
}


@router.get(
    "/{day}",
    response_class=Response,
    responses={200: {"content": {NDJSON: _LINES}, "description": "one move a line"}, **error_responses("day_not_over")},
)
def get_reconciliation(
    day: Annotated[Day, Path(description="such as 2026-01-31, in the time zone of the rules")],
    context: ContextDep,
    merchant: Merchant,
    now: Now,
) -> Response:
    """Read every move of the merchant's orders on a past day. `Content-Digest` holds the SHA-256 of the body."""
    content = reconciliation.moves_of_day(context, merchant.party, day, now)
    headers = {"Content-Digest": reconciliation.content_digest(content)}
    return Response(content, media_type=NDJSON, headers=headers)
