"""What of an order stays when its person leaves: fields that can hold no text, whatever the text looks like."""

from typing import Any, Final

import pytest
from pydantic import BaseModel

from api.orders import orders
from api.people import redaction
from api.people.redaction import KEPT, Fields
from api.routes import order_forms
from api.world import World
from tests.api.leaving import left_in
from tests.api.ordering import Counter

PHONE, NAME, ABROAD, CARD = "13800138000", "WANG_XIAOMING", "+86-138-0013-8000", "110105194912310021"
TEXTS: Final = (PHONE, NAME, ABROAD, CARD, "T4Z", "2026-01-31T09:30:00Z")
FORMS: Final[tuple[type[BaseModel], ...]] = (
    *(order_forms.OrderForm, order_forms.CancelForm, order_forms.CompleteForm, order_forms.ModifyForm),
    *(order_forms.SyncForm, order_forms.DisputeForm),
)


def leave(counter: Counter) -> None:
    done = counter.client.request("DELETE", "/v1/me", json={"confirm": "leave"}, headers=counter.bearer(counter.me))
    assert done.status_code == 200, done.text


def said(shown: dict[str, Any]) -> list[str]:
    """What the merchant is shown again of its own words."""
    fund, place = shown["risk_fund"], shown["location"]
    texts = (shown["attach"], fund["description"], shown["service_introduction"], place["start"], place["end"])
    return [*texts, *(p["name"] for p in shown["post_payments"]), shown["cancel_reason"] or ""]


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


def test_texts_of_an_order_go_with_the_person_whatever_they_look_like(town: World) -> None:
    counter = Counter(town)
    for number in ("O-1", "O-2"):
        assert counter.order(number, **texts_of(number)).status_code == 201
        assert counter.cancel(number, CARD).json()["state"] == "cancelled"
    assert said(counter.seen("O-1").json()) == [PHONE, PHONE, NAME, ABROAD, "2026-01-31T09:30:00Z", NAME, NAME, CARD]
    leave(counter)
    for number in ("O-1", "O-2"):
        shown = counter.seen(number).json()
        assert said(shown) == [""] * 8
        assert shown["risk_fund"] == {"name": "DEPOSIT", "amount": 50_000, "description": ""}
        assert shown["post_payments"] == [{"name": "", "amount": 100, "description": "", "count": 2}] * 2
        assert (shown["state"], shown["waived_amount"], shown["need_user_confirm"]) == ("cancelled", 50_000, True)


def test_no_text_or_digest_of_one_is_left_in_the_database(town: World) -> None:
    counter = Counter(town, callback="https://93.184.216.34/hook")
    form = counter.form("O-1", counter.decided()["decision_id"], **texts_of("O-1"))
    assert counter.order("O-1", form["decision_id"], **texts_of("O-1")).status_code == 201
    assert counter.cancel("O-1", CARD).json()["state"] == "cancelled"
    kept = orders.digest("create", order_forms.OrderForm(**form).said())
    digests = (kept, orders.digest("cancel", {"cancel_reason": CARD}))
    looked_for = (PHONE, NAME, ABROAD, CARD, *digests)
    found = {text for hits in left_in(town.database, *looked_for).values() for text in hits}
    assert found == set(looked_for)  # what is looked for would be found
    leave(counter)
    dump = {place: hits for place, hits in left_in(town.database, *looked_for).items() if "dump" in place}
    assert dump == {}


def test_an_order_without_its_digest_is_nobody_elses_number(town: World) -> None:
    counter = Counter(town)
    decision = counter.decided()["decision_id"]
    assert counter.order("O-1", decision).status_code == 201
    counter.cancel("O-1")
    leave(counter)
    for action in (counter.order("O-1", decision), counter.cancel("O-1"), counter.cancel("O-1", "sun")):
        assert (action.status_code, action.json()["code"]) == (409, "order_mismatch")


def free_texts(form: type[BaseModel]) -> list[tuple[str, ...]]:
    """Where a form takes a text of the caller's own."""
    schema = form.model_json_schema()
    return _texts(schema, schema.get("$defs", {}), ())


def _texts(part: dict[str, Any], named: dict[str, Any], path: tuple[str, ...]) -> list[tuple[str, ...]]:
    if "$ref" in part:
        return _texts(named[part["$ref"].rpartition("/")[2]], named, path)
    found = [text for choice in part.get("anyOf", ()) for text in _texts(choice, named, path)]
    found += [text for name, p in part.get("properties", {}).items() for text in _texts(p, named, (*path, name))]
    found += _texts(part["items"], named, path) if "items" in part else []
    plain = part.get("type") == "string" and not ({"enum", "const"} & part.keys()) and part.get("format") != "date-time"
    return [*found, path] if plain else found


def stays(path: tuple[str, ...]) -> bool:
    at: Fields | None = KEPT
    for name in path:
        if at is None or name not in at:
            return False
        at = at[name]
    return at is None


def test_no_field_that_takes_a_text_is_kept() -> None:
    found = {path for form in FORMS for path in free_texts(form)}
    assert {("attach",), ("location", "start"), ("post_payments", "description"), ("statement",)} <= found
    assert [path for path in found if stays(path)] == []
    assert stays(("risk_fund", "amount"))


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_in_a_field_that_nobody_knows_goes_too(text: str) -> None:
    found = redaction.content(
        {"new": text, "post_payments": [{"name": text, "deep": {"er": [text, 7]}}], "dispute": None}
    )
    assert found == {"new": "", "post_payments": [{"name": "", "deep": {"er": ["", None]}}], "dispute": None}
