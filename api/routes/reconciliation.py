"""A merchant's books, a day at a time."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.deps import InWorld, Merchant, Now
from api.lanes import LanedRoute
from api.orders import reconciliation
from api.problems import documented
from api.routes.schema import Day

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
    responses={200: {"content": {NDJSON: _LINES}, "description": "one move a line"}, **documented("day_not_over")},
)
def get_reconciliation(
    day: Annotated[Day, Path(description="such as 2026-01-31, in the time zone of the rules")],
    world: InWorld,
    merchant: Merchant,
    now: Now,
) -> Response:
    """Everything that happened to the merchant's orders on a day that is over. `Content-Digest` has its SHA-256."""
    content = reconciliation.of_day(world, merchant.party, day, now)
    headers = {"Content-Digest": reconciliation.content_digest(content)}
    return Response(content, media_type=NDJSON, headers=headers)
