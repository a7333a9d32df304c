"""A merchant reads which perks it can ask about, and with which fields."""

from typing import Any

from api.runtime.context import AppContext
from tests.api.merchant_client import MerchantClient


def perks_of(client: MerchantClient) -> dict[str, Any]:
    response = client.http.get("/v1/perks", headers=client.bearer(client.token))
    assert response.status_code == 200, response.text
    assert response.json()["next"] is None
    return {item["perk"]: item for item in response.json()["items"]}


def test_a_merchant_sees_every_perk_with_the_fields_of_its_questions(town: AppContext) -> None:
    """`rules/perks.yaml` gives a hotel from 1 to 60 nights."""
    perks = perks_of(MerchantClient(town))
    assert set(perks) == {perk.id for perk in town.release.programs[-1].perks}
    assert (perks["hotel"]["currency"], perks["hotel"]["partial"]) == ("CNY", True)
    (nights,) = perks["hotel"]["fields"]
    assert nights == {"name": "nights", "type": "int", "digits": None, "values": None, "lowest": "1", "highest": "60"}


def test_a_perk_shows_neither_its_conditions_nor_its_caps(town: AppContext) -> None:
    for item in perks_of(MerchantClient(town)).values():
        assert set(item) == {"perk", "about", "currency", "most", "partial", "valid_hours", "fields"}


def test_a_question_with_the_fields_of_the_list_is_answered(town: AppContext) -> None:
    client = MerchantClient(town)
    hotel = perks_of(client)["hotel"]
    fields = {field["name"]: int(field["highest"]) for field in hotel["fields"]}
    amount = hotel["most"]
    answer = client.ask(client.scored_person(), amount=amount, context=fields)
    assert answer.status_code == 200, answer.text
