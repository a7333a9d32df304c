"""After an erasure we keep only the fields of an order that cannot hold free text, for any text."""

from typing import Any, Final

import pytest
from pydantic import BaseModel

from api.http.routes import order_forms
from api.orders import orders
from api.people import redaction
from api.people.redaction import RETAINED_FIELDS, Fields
from api.runtime.context import AppContext
from tests.api.full_record import remaining_texts
from tests.api.order_client import OrderClient

PHONE, NAME, ABROAD, CARD = "13800138000", "WANG_XIAOMING", "+86-138-0013-8000", "110105194912310021"
TEXTS: Final = (PHONE, NAME, ABROAD, CARD, "T4Z", "2026-01-31T09:30:00Z")
FORMS: Final[tuple[type[BaseModel], ...]] = (
    *(order_forms.OrderForm, order_forms.CancelForm, order_forms.CompleteForm, order_forms.ModifyForm),
    *(order_forms.SyncForm, order_forms.DisputeForm),
)


def leave(client: OrderClient) -> None:
    response = client.http.request(
        "DELETE", "/v1/me", json={"confirm": "leave"}, headers=client.bearer(client.person_token)
    )
    assert response.status_code == 200, response.text


def merchant_texts(order: dict[str, Any]) -> list[str]:
    """The merchant's own texts that we show to it again."""
    fund, location = order["risk_fund"], order["location"]
    texts = (order["attach"], fund["description"], order["service_introduction"], location["start"], location["end"])
    return [*texts, *(p["name"] for p in order["post_payments"]), order["cancel_reason"] or ""]


def texts_of(number: str) -> dict[str, Any]:
    fund = {"name": "DEPOSIT", "amount": 50_000, "description": PHONE}
    item = {"name": NAME, "amount": 100, "description": CARD, "count": 2}
    return {
        **{"attach": f"{PHONE}", "risk_fund": fund, "service_introduction": NAME, "post_payments": [item, item]},
        **{
            "location": {"start": ABROAD, "end": "2026-01-31T09:30:00Z"},
            "post_discounts": [{k: item[k] for k in ("name", "amount")}],
            "out_order_no": number,
        },
    }


def test_an_erasure_removes_all_free_text_of_an_order(town: AppContext) -> None:
    client = OrderClient(town)
    for number in ("O-1", "O-2"):
        assert client.create_order(number, **texts_of(number)).status_code == 201
        assert client.cancel(number, CARD).json()["state"] == "cancelled"
    assert merchant_texts(client.get_order("O-1").json()) == [
        PHONE,
        PHONE,
        NAME,
        ABROAD,
        "2026-01-31T09:30:00Z",
        NAME,
        NAME,
        CARD,
    ]
    leave(client)
    for number in ("O-1", "O-2"):
        order = client.get_order(number).json()
        assert merchant_texts(order) == [""] * 8
        assert order["risk_fund"] == {"name": "DEPOSIT", "amount": 50_000, "description": ""}
        assert order["post_payments"] == [{"name": "", "amount": 100, "description": "", "count": 2}] * 2
        assert (order["state"], order["waived_amount"], order["need_user_confirm"]) == ("cancelled", 50_000, True)


def test_no_free_text_or_its_digest_remains_in_the_database(town: AppContext) -> None:
    client = OrderClient(town, callback="https://93.184.216.34/hook")
    form = client.order_form("O-1", client.decide()["decision_id"], **texts_of("O-1"))
    assert client.create_order("O-1", form["decision_id"], **texts_of("O-1")).status_code == 201
    assert client.cancel("O-1", CARD).json()["state"] == "cancelled"
    create_digest = orders.digest("create", order_forms.OrderForm(**form).to_json())
    digests = (create_digest, orders.digest("cancel", {"cancel_reason": CARD}))
    needles = (PHONE, NAME, ABROAD, CARD, *digests)
    matches = {text for hits in remaining_texts(town.database, *needles).values() for text in hits}
    assert matches == set(needles)  # the search finds texts that exist
    leave(client)
    dump = {location: hits for location, hits in remaining_texts(town.database, *needles).items() if "dump" in location}
    assert dump == {}


def test_an_order_without_its_digest_keeps_its_number(town: AppContext) -> None:
    client = OrderClient(town)
    decision = client.decide()["decision_id"]
    assert client.create_order("O-1", decision).status_code == 201
    client.cancel("O-1")
    leave(client)
    for action in (client.create_order("O-1", decision), client.cancel("O-1"), client.cancel("O-1", "sun")):
        assert (action.status_code, action.json()["code"]) == (409, "order_mismatch")


def free_texts(form: type[BaseModel]) -> list[tuple[str, ...]]:
    """The form fields that take free text."""
    schema = form.model_json_schema()
    return _texts(schema, schema.get("$defs", {}), ())


def _texts(part: dict[str, Any], definitions: dict[str, Any], path: tuple[str, ...]) -> list[tuple[str, ...]]:
    if "$ref" in part:
        return _texts(definitions[part["$ref"].rpartition("/")[2]], definitions, path)
    paths = [text for choice in part.get("anyOf", ()) for text in _texts(choice, definitions, path)]
    paths += [text for name, p in part.get("properties", {}).items() for text in _texts(p, definitions, (*path, name))]
    paths += _texts(part["items"], definitions, path) if "items" in part else []
    plain = part.get("type") == "string" and not ({"enum", "const"} & part.keys()) and part.get("format") != "date-time"
    return [*paths, path] if plain else paths


def stays(path: tuple[str, ...]) -> bool:
    at: Fields | None = RETAINED_FIELDS
    for name in path:
        if at is None or name not in at:
            return False
        at = at[name]
    return at is None


def test_no_free_text_field_is_kept() -> None:
    paths = {path for form in FORMS for path in free_texts(form)}
    assert {("attach",), ("location", "start"), ("post_payments", "description"), ("statement",)} <= paths
    assert [path for path in paths if stays(path)] == []
    assert stays(("risk_fund", "amount"))


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_in_an_unknown_field_is_removed(text: str) -> None:
    content = redaction.redact_content(
        {"new": text, "post_payments": [{"name": text, "deep": {"er": [text, 7]}}], "dispute": None}
    )
    assert content == {"new": "", "post_payments": [{"name": "", "deep": {"er": ["", None]}}], "dispute": None}
