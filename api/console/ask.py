"""A merchant's till: ask about one person and one amount, and see the answer as the person at the counter needs it."""

import secrets
from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.datastructures import FormData
from starlette.responses import Response

from api.console import labels
from api.console.amounts import field_value, major_units, minor_units
from api.console.calls import CallProblem, part
from api.console.visits import MerchantVisit, PageRoute, Visit, form_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

Text = Annotated[str, Query(max_length=200)]


@router.get("/ask")
async def show_till(visit: MerchantVisit, service: Text = "", subject: Text = "", amount: Text = "") -> Response:
    """The form of a question."""
    return await _till(visit, {"service": service, "subject": subject, "amount": amount})


@router.post("/ask")
async def ask(visit: MerchantVisit) -> Response:
    """Ask, and go to the answer. Sending the form again gives the same answer: the page made the question's number."""
    form = await form_of(visit)
    values = {name: str(value) for name, value in form.items()}
    perk = await _perk_of(visit, values.get("service", ""))
    amount = minor_units(values.get("amount", ""), perk["currency"]) if perk else None
    if perk is None or amount is None:
        return await _till(visit, values, error="no_amount")
    question = {
        "transaction_id": values.get("transaction_id", ""),
        "service": values["service"],
        "subject": values.get("subject", "").strip(),
        "amount": amount,
        "context": _context(form, perk),
    }
    try:
        answer = await visit.api.post("/v1/eligibility", question)
    except CallProblem as problem:
        return await _till(visit, values, problem=problem)
    return visit.see_other(f"/ask/{part(answer['decision_id'])}")


@router.get("/ask/{decision_id}")
async def show_answer(visit: MerchantVisit, decision_id: str) -> Response:
    """The answer, big, and what to do."""
    return await _answer(visit, decision_id)


@router.post("/ask/{decision_id}/order")
async def create_order(visit: MerchantVisit, decision_id: str) -> Response:
    """Make an order of the answer."""
    form = await form_of(visit)
    values = {name: str(value).strip() for name, value in form.items()}
    decision = await visit.api.get(f"/v1/decisions/{part(decision_id)}")
    amount = minor_units(values.get("risk", ""), decision["currency"])
    order = {
        "out_order_no": values.get("out_order_no", ""),
        "service": decision["service"],
        "decision_id": decision_id,
        "service_introduction": values.get("introduction", ""),
        "risk_fund": {"amount": amount if amount is not None else decision["waived_amount"]},
        "need_user_confirm": "confirmed" not in form,
    }
    try:
        answer = await visit.api.post("/v1/orders", order)
    except CallProblem as problem:
        return await _answer(visit, decision_id, values, problem)
    return visit.see_other(f"/orders/{part(answer['out_order_no'])}", "order_created")


@router.post("/ask/consents")
async def ask_consent(visit: MerchantVisit) -> Response:
    """Ask the person for consent, and show the address to send them to."""
    form = await form_of(visit)
    values = {name: str(value).strip() for name, value in form.items()}
    body = {
        "service": values.get("service", ""),
        "subject": values.get("subject", ""),
        "classes": [str(name) for name in form.getlist("classes")],
        "return_url": values.get("return_url") or None,
    }
    try:
        request = await visit.api.post("/v1/consents", body)
    except CallProblem as problem:
        return await _till(visit, values, problem=problem, asks_consent=True)
    return visit.see_other(f"/ask/consents/{part(request['id'])}")


@router.get("/ask/consents/{request_id}")
async def show_consent_request(visit: MerchantVisit, request_id: str) -> Response:
    """The address for the person, and whether they answered."""
    request = await visit.api.get(f"/v1/consents/{part(request_id)}")
    return visit.page("ask_consent.html", request=request, address=f"{visit.origin}{request['page']}", labels=labels)


async def _till(
    visit: Visit,
    values: Mapping[str, str],
    error: str = "",
    problem: CallProblem | None = None,
    *,
    asks_consent: bool = False,
) -> Response:
    services = (await visit.api.get("/v1/services"))["items"]
    perks = {perk["perk"]: perk for perk in (await visit.api.get("/v1/perks"))["items"]}
    service = next((one for one in services if one["id"] == values.get("service")), services[0] if services else None)
    needs_consent = asks_consent or (problem is not None and problem.code == "no_consent")
    return visit.page(
        "ask.html",
        problem.status if problem else 422 if error else 200,
        services=services,
        service=service,
        perk=perks.get(service["perk"]) if service else None,
        values=defaultdict(str, values),
        transaction_id=secrets.token_hex(12),
        error=error,
        needs_consent=needs_consent,
        problem=problem.document if problem and (asks_consent or not needs_consent) else None,
        labels=labels,
    )


async def _answer(
    visit: Visit, decision_id: str, values: Mapping[str, str] | None = None, problem: CallProblem | None = None
) -> Response:
    decision: dict[str, Any] = await visit.api.get(f"/v1/decisions/{part(decision_id)}")
    number = f"O-{visit.now:%Y%m%d}-{secrets.token_hex(3)}"
    start = {
        "out_order_no": number,
        "introduction": "",
        "risk": major_units(decision["waived_amount"], decision["currency"]),
    }
    return visit.page(
        "ask_answer.html",
        problem.status if problem else 200,
        decision=decision,
        is_valid=decision["valid_until"] > visit.now.isoformat(),
        values=defaultdict(str, start | dict(values or {})),
        problem=problem.document if problem else None,
        labels=labels,
    )


async def _perk_of(visit: Visit, service_id: str) -> dict[str, Any] | None:
    """The perk of one of the merchant's services, under the rules in force."""
    perks: dict[str, dict[str, Any]] = {perk["perk"]: perk for perk in (await visit.api.get("/v1/perks"))["items"]}
    services = (await visit.api.get("/v1/services"))["items"]
    return next((perks.get(one["perk"]) for one in services if one["id"] == service_id), None)


def _context(form: FormData, perk: Mapping[str, Any]) -> dict[str, Any]:
    """The request's own fields that somebody filled in."""
    texts = {field["name"]: (str(form.get(f"context.{field['name']}", "")).strip(), field) for field in perk["fields"]}
    return {name: field_value(text, field["type"]) for name, (text, field) in texts.items() if text}
