"""The sandbox: a till, an order and its callbacks with made-up people. The address of a page holds the whole walk, and nothing is stored."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.console import labels
from api.console.amounts import minor_units
from api.console.calls import CallProblem, part
from api.console.navigation import N_
from api.console.visits import MerchantVisit, PageRoute, Visit, form_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PEOPLE: Final = {
    "sandbox-admit": N_("Ada: no deposit"),
    "sandbox-partial": N_("Ben: part of the deposit"),
    "sandbox-decline": N_("Cai: whole deposit"),
    "sandbox-unscorable": N_("Dan: too little known"),
    "sandbox-no-consent": N_("Eve: has not consented"),
}
STEPS: Final = {
    "create": N_("Make the order"),
    "confirm": N_("The person confirms"),
    "complete": N_("Complete: the service has ended"),
    "pay": N_("Report the payment"),
    "modify": N_("Lower the amount by half"),
    "cancel": N_("Cancel the order"),
    "clock": N_("Let 30 days pass"),
}
START_AMOUNT: Final = "500.00"
Text = Annotated[str, Query(max_length=200)]


@router.get("/sandbox")
async def walk(
    visit: MerchantVisit, service: Text = "", person: Text = "", amount: Text = START_AMOUNT, steps: Text = ""
) -> Response:
    """The answer about a made-up person, and the order after the steps so far."""
    return await _page(visit, {"service": service, "person": person, "amount": amount, "steps": steps})


@router.post("/sandbox/callback")
async def send(visit: MerchantVisit) -> Response:
    """Send the last callback of the walk to the service's address, once."""
    form = await form_of(visit)
    values = {name: str(form.get(name, "")) for name in ("service", "person", "amount", "steps")}
    return await _page(visit, values, sends=True)


async def _page(visit: Visit, values: Mapping[str, str], *, sends: bool = False) -> Response:
    services = (await visit.api.get("/v1/services", limit=200))["items"]
    service = next((one for one in services if one["id"] == values["service"]), services[0] if services else None)
    perks = {perk["perk"]: perk for perk in (await visit.api.get("/v1/perks"))["items"]}
    perk = perks.get(service["perk"]) if service else None
    amount = minor_units(values["amount"], perk["currency"]) if perk else None
    result, problem = None, None
    if service and values["person"] and amount is not None:
        try:
            result = await _result(visit, service["id"], values, amount, sends=sends)
        except CallProblem as error:
            problem = error
    return visit.page(
        "sandbox.html",
        problem.status if problem and problem.code != "no_consent" else 200,
        services=services,
        service=service,
        perk=perk,
        values=values,
        amount=amount,
        people=PEOPLE,
        steps=STEPS,
        taken=[step.partition(":")[0] for step in values["steps"].split(",") if step],
        result=result,
        addresses=_addresses(values, service, result),
        problem=problem.document if problem else None,
        labels=labels,
    )


async def _result(visit: Visit, service: str, values: Mapping[str, str], amount: int, *, sends: bool) -> dict[str, Any]:
    body = {"subject": values["person"], "amount": amount, "steps": _steps(values["steps"]), "send": sends}
    result: dict[str, Any] = await visit.api.post(f"/v1/services/{part(service)}/sandbox", body)
    return result


def _steps(text: str) -> list[dict[str, Any]]:
    """The steps `create,confirm,complete:42000`."""
    pairs = [step.partition(":") for step in text.split(",") if step]
    return [{"action": a, "total": int(total) if total.isdecimal() else None} for a, _, total in pairs]


def _addresses(
    values: Mapping[str, str], service: Mapping[str, Any] | None, result: Mapping[str, Any] | None
) -> dict[str, str]:
    """The address of the page after each step that can follow."""
    if result is None or service is None:
        return {}
    order = result["order"]
    half = {"modify": f":{order['total_amount'] // 2}"} if order and order["total_amount"] else {}
    walks = {
        action: [*filter(None, values["steps"].split(",")), action + half.get(action, "")]
        for action in result["actions"]
    }
    start = {"service": service["id"], "person": values["person"], "amount": values["amount"]}
    queries = {action: urlencode(start | {"steps": ",".join(walks[action])}) for action in STEPS if action in walks}
    return {action: f"/sandbox?{query}" for action, query in queries.items()}
