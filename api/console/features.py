"""Features: the catalogue, and one feature with its definition, distribution, use and drift."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.console.navigation import N_
from api.console.person_charts import distribution_chart
from api.console.visits import OperatorVisit, PageRoute

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PLACES: Final = {
    "scorable": N_("Condition for a score"),
    "characteristic": N_("Characteristic"),
    "rule": N_("Rule of the scorecard"),
    "knockout": N_("Knock-out"),
    "tier": N_("Tier"),
    "hold": N_("Holding the perk"),
    "feature": N_("Another feature"),
}
UNITS: Final = {
    "-1 to 1": N_("from -1 to 1"),
    "categories": N_("categories"),
    "days": N_("days"),
    "groups": N_("groups"),
    "level": N_("level"),
    "minor units": N_("cents or fen"),
    "misses": N_("misses"),
    "months": N_("months"),
    "obligations": N_("obligations"),
    "orders": N_("orders"),
    "parties": N_("parties"),
    "payments": N_("payments"),
    "people": N_("people"),
    "promises": N_("promises"),
    "ratio": N_("ratio"),
    "rings": N_("rings"),
    "ties": N_("ties"),
    "times the mean": N_("times the mean"),
}
DIMENSIONS: Final = {
    "identity": N_("Identity"),
    "capacity": N_("Capacity"),
    "behaviour": N_("Behaviour"),
    "credit": N_("Credit"),
    "relationships": N_("Relationships"),
    "fraud": N_("Fraud"),
}


@router.get("/features")
async def show_catalogue(visit: OperatorVisit) -> Response:
    """All features, by dimension."""
    items = (await visit.api.get("/v1/features"))["items"]
    names = dict.fromkeys(item["dimension"] for item in items)
    groups = [(DIMENSIONS.get(name, name), [i for i in items if i["dimension"] == name]) for name in names]
    built = next((item["distribution"] for item in items if item["distribution"]), None)
    return visit.page("features.html", groups=groups, built=built, heights=_heights)


@router.get("/features/{feature}")
async def show_feature(visit: OperatorVisit, feature: str) -> Response:
    """One feature."""
    items = (await visit.api.get("/v1/features"))["items"]
    item = next((item for item in items if item["feature"] == feature), None)
    if item is None:
        raise HTTPException(404)
    chart = distribution_chart(item["distribution"], visit.language) if item["distribution"] else None
    return visit.page("feature.html", item=item, chart=chart, places=PLACES, units=UNITS)


def _heights(distribution: Mapping[str, Any]) -> list[int]:
    """The bars of a small histogram, 0 to 20."""
    numbers = [bin_["people"] or 0 for bin_ in distribution["bins"]]
    largest = max([1, *numbers])
    return [max(1, round(20 * n / largest)) if n else 0 for n in numbers]
