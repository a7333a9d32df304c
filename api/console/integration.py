"""Requests that a merchant can paste. The token in them is put there in the browser: a session does not hold it, and it is never sent."""

from fastapi import APIRouter
from starlette.responses import Response

from api.console.visits import MerchantVisit, PageRoute

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/integration")
async def show_requests(visit: MerchantVisit) -> Response:
    """From consent to reconciliation, for the merchant's first service."""
    services = (await visit.api.get("/v1/services", limit=1))["items"]
    perks = {perk["perk"]: perk for perk in (await visit.api.get("/v1/perks"))["items"]}
    service = services[0] if services else {"id": "rooms", "perk": next(iter(perks), "hotel"), "callback": None}
    return visit.page(
        "integration.html",
        service=service,
        has_service=bool(services),
        most=perks.get(service["perk"], {"most": 50000})["most"],
        fields=perks.get(service["perk"], {"fields": []})["fields"],
        origin=visit.origin,
    )
