"""The direct way gives the bytes, headers, log and counts of the ordinary route."""

import json
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.access import tokens
from api.access.rates import Rates
from api.http import direct_eligibility
from api.http.gate import Gate
from api.runtime.context import AppContext
from tests.api.merchant_client import MerchantClient
from tests.api.town import NOW

ORDINARY = {"X-Ordinary": "yes"}
IDS = ("decision_id",)


@pytest.fixture
def client(town: AppContext, monkeypatch: pytest.MonkeyPatch) -> MerchantClient:
    """A request with the header of `ORDINARY` takes the ordinary route."""
    read_token = direct_eligibility._token

    def token(app: Any, scope: Any) -> str | None:
        return None if (b"x-ordinary", b"yes") in scope["headers"] else read_token(app, scope)

    monkeypatch.setattr(direct_eligibility, "_token", token)
    return MerchantClient(town)


def answers(client: MerchantClient, headers: Mapping[str, str], content: bytes) -> list[Any]:
    """The answers of the direct and of the ordinary way, but for what is new in each."""
    results = []
    for way in ({}, ORDINARY):
        fixed = {"X-Request-ID": "0123456789abcdef" * 2, "Content-Type": "application/json"}
        response = client.http.post("/v1/eligibility", content=content, headers=fixed | dict(headers) | way)
        document = response.json()
        for name in IDS:
            document.pop(name, None)
        order = list(response.json())
        results.append((response.status_code, dict(response.headers), document, order))
    return results


def usual_body(client: MerchantClient, **changes: Any) -> bytes:
    person = client.scores["person"][0]
    body = {"transaction_id": "T-1", "service": "hotel", "subject": person, "amount": 100, "context": {"nights": 2}}
    return json.dumps(body | changes).encode()


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # the way does not depend on the database
def test_both_ways_give_the_same_answer(client: MerchantClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client.ask(client.scores["person"][0])
    answer, calls = direct_eligibility._answer, []

    async def count_calls(*arguments: Any) -> None:
        calls.append(1)
        await answer(*arguments)

    monkeypatch.setattr(direct_eligibility, "_answer", count_calls)
    direct, ordinary = answers(client, client.bearer(client.token), usual_body(client))
    assert direct == ordinary
    assert (direct[0], len(calls)) == (200, 1)


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_both_ways_give_the_same_problems(client: MerchantClient) -> None:
    client.ask(client.scores["person"][0])
    headers = client.bearer(client.token)
    expired = tokens.issue(client.context.database, "merchant", "inn", "old", NOW, NOW + timedelta(minutes=1)).secret
    scoped = tokens.issue(client.context.database, "merchant", "inn", "s", NOW, None, ["orders"]).secret
    cases: list[tuple[Mapping[str, str], bytes, int]] = [
        (headers, usual_body(client, subject="nobody"), 403),
        (headers, usual_body(client, service="none"), 404),
        (headers, usual_body(client, amount=0), 422),
        (headers, usual_body(client, amount="7"), 422),
        (headers, usual_body(client, extra=1), 422),
        (headers, usual_body(client, context={"n": [1]}), 422),
        (headers, usual_body(client, context={"city": "x"}), 422),
        (headers, b'{"amount":1,"amount":1}', 422),
        (headers, b"{", 422),
        (headers, b"[" * 5_000, 422),
        (headers, b'{"amount":NaN}', 422),
        (headers, b"\xff", 422),
        (headers | {"Content-Type": "text/plain"}, usual_body(client), 422),
        ({}, usual_body(client), 401),
        (client.bearer("iftah_wrong"), usual_body(client), 401),
        (client.bearer(expired), usual_body(client), 401),
        (client.bearer(scoped), usual_body(client), 403),
        (client.bearer(client.issue("supervisor", "office")), usual_body(client), 403),
        ({"Authorization": "bearer " + client.token}, usual_body(client, transaction_id="T-9"), 200),
        ({"Authorization": "Basic " + client.token}, usual_body(client), 401),
    ]
    for case, content, status in cases:
        direct, ordinary = answers(client, case, content)
        assert direct == ordinary, content
        assert direct[0] == status, (content, direct)


BODIES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.sampled_from(("amount", "service", "x")), part),
    max_leaves=6,
)


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_both_ways_judge_any_body_alike(client: MerchantClient) -> None:
    client.ask(client.scores["person"][0])
    headers = client.bearer(client.token)

    @given(
        st.fixed_dictionaries({}, optional=dict.fromkeys(("amount", "subject", "context", "service", "more"), BODIES))
    )
    def judge(changes: dict[str, Any]) -> None:
        direct, ordinary = answers(client, headers, usual_body(client, **changes))
        assert direct == ordinary

    judge()


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_both_ways_write_one_line_and_count_one_request(
    client: MerchantClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.ask(client.scores["person"][0])
    with caplog.at_level(logging.INFO, "iftah.request"):
        for content in (usual_body(client), usual_body(client, subject="nobody")):
            caplog.clear()
            answers(client, client.bearer(client.token), content)
            names = ("name", "msg", "levelname", "method", "route", "status", "request", "code", "token", "role")
            direct, ordinary = ([getattr(record, name, None) for name in names] for record in caplog.records)
            assert direct == ordinary


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_the_direct_way_counts_each_request_once(client: MerchantClient) -> None:
    client.ask(client.scores["person"][0])
    client.http.app.state.gate = Gate(Rates("3/minute", "2/minute"))  # type: ignore[attr-defined]
    headers = client.bearer(client.token) | {"Content-Type": "application/json"}
    content = usual_body(client)
    statuses = [client.http.post("/v1/eligibility", content=content, headers=headers).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    wrong = client.bearer("iftah_wrong") | {"Content-Type": "application/json"}
    statuses = [client.http.post("/v1/eligibility", content=content, headers=wrong).status_code for _ in range(4)]
    assert statuses == [401, 401, 429, 429]
