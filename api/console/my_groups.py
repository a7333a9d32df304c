"""The attributes that a person gives for reports by group, or not. No rule reads them."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from api.console.calls import CallProblem
from api.console.navigation import N_
from api.console.visits import PageRoute, SubjectVisit, Visit, form_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

# The attributes that the page offers; a person may name others, too.
OFFERED: Final = {"age_group": N_("Age group"), "gender": N_("Gender"), "region": N_("Region")}
OTHER: Final = "other"  # the field with the name of one more


@router.get("/me/groups")
async def show_groups(visit: SubjectVisit) -> Response:
    """What the person gave."""
    return _page(visit, await visit.api.get("/v1/me/monitoring"))


@router.post("/me/groups")
async def save_groups(visit: SubjectVisit) -> Response:
    """Replace what the person gave: an empty field is withdrawn."""
    form = await form_of(visit)
    values = {name.removeprefix("value-"): str(text).strip() for name, text in form.items() if name != "csrf"}
    other, other_value = values.pop(OTHER, ""), values.pop("other_value", "")
    attributes = {name: text for name, text in values.items() if text} | ({other: other_value} if other else {})
    try:
        await visit.api.replace("/v1/me/monitoring", {"attributes": attributes})
    except CallProblem as problem:
        return _page(visit, values, problem, other=other, other_value=other_value)
    return visit.see_other("/me/groups", "groups_saved")


@router.post("/me/groups/deletion")
async def delete_groups(visit: SubjectVisit) -> Response:
    """Withdraw everything."""
    await visit.api.delete("/v1/me/monitoring")
    return visit.see_other("/me/groups", "groups_deleted")


def _page(
    visit: Visit,
    stored: Mapping[str, Any],
    problem: CallProblem | None = None,
    *,
    other: str = "",
    other_value: str = "",
) -> Response:
    names = {name: OFFERED.get(name, "") for name in (*OFFERED, *stored)}
    return visit.page(
        "my_groups.html",
        problem.status if problem else 200,
        rows=[(name, label, stored.get(name, "")) for name, label in names.items()],
        is_empty=not any(stored.values()),
        other=other,
        other_value=other_value,
        problem=problem.document if problem else None,
    )
