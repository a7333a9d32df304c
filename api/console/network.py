"""The network of a person for the explorer: what the page of the person shows, as JSON."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from api.console.calls import part
from api.console.people import Key
from api.console.visits import OperatorVisit, PageRoute

router = APIRouter(route_class=PageRoute, include_in_schema=False)

STEPS = 2  # as far as a picture goes


@router.get("/network")
async def send_network(
    visit: OperatorVisit, person: Annotated[str, Query(max_length=128)], look: Key = None
) -> Response:
    """Two steps around a person, under a look. The browser shows one, and more where the operator asks."""
    network = await visit.api.get(f"/v1/people/{part(person)}/network", look=look, steps=STEPS)
    layers = {name: _without_drawing(network[name]) for name in ("ties", "money")}
    return JSONResponse(layers, headers={"Cache-Control": "no-store"})


def _without_drawing(layer: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in layer.items() if name != "drawing"}
