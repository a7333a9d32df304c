"""A merchant's services: sign up for a perk, change the terms, read the versions."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.console import labels
from api.console.amounts import lines, major_units, minor_units
from api.console.calls import CallProblem, part
from api.console.visits import MerchantVisit, PageRoute, Visit, form_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/services")
async def list_services(visit: MerchantVisit) -> Response:
    """The merchant's services."""
    services = (await visit.api.get("/v1/services", limit=200))["items"]
    return visit.page("services.html", services=services, perks=await _perks(visit), labels=labels)


@router.get("/services/new")
async def show_sign_up(visit: MerchantVisit) -> Response:
    """The form for a new service."""
    return await _form(visit, {"mode": "waive_first", "audience": "everyone"})


@router.post("/services")
async def sign_up(visit: MerchantVisit) -> Response:
    """Sign up, or change the terms."""
    form = await form_of(visit)
    values = {name: str(value).strip() for name, value in form.items()}
    perk = (await _perks(visit)).get(values.get("perk", ""))
    body = _terms(form, values, perk)
    if isinstance(body, str):
        return await _form(visit, values, error=body)
    try:
        await visit.api.replace(f"/v1/services/{part(values.get('id', '') or '-')}", body)
    except CallProblem as problem:
        return await _form(visit, values, problem=problem)
    return visit.see_other("/services", "service_saved")


@router.get("/services/{service}")
async def show_service(visit: MerchantVisit, service: str) -> Response:
    """The terms of a service in a form, and its versions."""
    answer = await visit.api.get(f"/v1/services/{part(service)}")
    terms, perks = answer["service"], await _perks(visit)
    perk = perks.get(terms["perk"])
    values = {
        "id": terms["id"],
        "perk": terms["perk"],
        "mode": terms["mode"],
        "ceiling": ""
        if terms["ceiling"] is None
        else major_units(terms["ceiling"], perk["currency"] if perk else "CNY"),
        "callback": terms["callback"] or "",
        "audience": "everyone" if terms["allowed_people"] is None else "listed",
    }
    return await _form(visit, values, service=answer)


async def _form(
    visit: Visit,
    values: Mapping[str, str],
    error: str = "",
    problem: CallProblem | None = None,
    service: Mapping[str, Any] | None = None,
) -> Response:
    return visit.page(
        "service.html",
        problem.status if problem else 422 if error else 200,
        values=defaultdict(str, values),
        perks=await _perks(visit),
        service=service["service"] if service else None,
        versions=service["versions"]["items"] if service else [],
        is_new=service is None and "existing" not in values,
        error=error,
        problem=problem.document if problem else None,
        labels=labels,
    )


async def _perks(visit: Visit) -> dict[str, dict[str, Any]]:
    return {perk["perk"]: perk for perk in (await visit.api.get("/v1/perks"))["items"]}


def _terms(form: FormData, values: Mapping[str, str], perk: Mapping[str, Any] | None) -> dict[str, Any] | str:
    """The terms of the form, or the code of what is wrong with it."""
    ceiling = None
    if values.get("ceiling"):
        ceiling = minor_units(values["ceiling"], perk["currency"] if perk else "CNY")
        if ceiling is None:
            return "no_amount"
    allowed = lines(str(form.get("allowed", ""))) if values.get("audience") == "listed" else None
    if allowed == []:
        return "nobody_listed"
    return {
        "perk": values.get("perk", ""),
        "mode": values.get("mode", "waive_first"),
        "ceiling": ceiling,
        "callback": values.get("callback") or None,
        "allowed": allowed,
    }
