"""Processes that share a database decide before their write transaction, and never by what changed until then."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from api.decisions import decisions, eligibility
from api.decisions.decisions import DecisionResult
from api.decisions.question import EligibilityQuestion
from api.merchants.services import Terms, sign_up
from api.people.erasure import erase
from api.runtime.context import AppContext
from api.supervision import audit
from api.supervision.replay import replay
from engine.errors import Rejected
from tests.api.order_client import OrderClient


@pytest.fixture
def client(town: AppContext) -> OrderClient:
    client = OrderClient(town)
    client.decide()  # signs up, and has the person's consent
    client.now += timedelta(days=2)
    return client


def questions(
    client: OrderClient, amounts: Sequence[int] = (100, 200), merchant: str = "inn"
) -> list[EligibilityQuestion]:
    return [
        EligibilityQuestion(
            merchant, f"A-{next(client.numbers)}", client.person, "", amount, "", client.now, service="hotel"
        )
        for amount in amounts
    ]


def outcomes(results: Sequence[object]) -> list[Any]:
    return [r.outcome if isinstance(r, DecisionResult) else r.code if isinstance(r, Rejected) else r for r in results]


@pytest.mark.parametrize("ahead", [True, False])
def test_decisions_ahead_are_those_of_the_transaction(client: OrderClient, ahead: bool) -> None:
    context = replace(client.context, decides_ahead=ahead)
    results = eligibility.answer_questions(context, questions(client, (100, 200, 100)))
    assert outcomes(results) == ["ADMIT"] * 3
    for result in results:
        assert isinstance(result, DecisionResult)
        assert replay(client.context, result.id).equal


def change_between(client: OrderClient, monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> list[Any]:
    """The outcomes of questions if something changes after the decisions and before the transaction."""
    decide_ahead = eligibility._decide_ahead
    decided = []

    def decide_and_change(context: AppContext, batch: Sequence[EligibilityQuestion]) -> Any:
        ahead = decide_ahead(context, batch)
        assert ahead is not None
        decided.append(ahead)
        change()
        return ahead

    monkeypatch.setattr(eligibility, "_decide_ahead", decide_and_change)
    results = eligibility.answer_questions(replace(client.context, decides_ahead=True), questions(client))
    assert len(decided) == 1
    return outcomes(results)


def test_an_erasure_after_the_decision_counts(client: OrderClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert change_between(client, monkeypatch, lambda: erase(client.context.database, client.person, client.now)) == [
        "no_consent",
        "no_consent",
    ]


def test_an_order_after_the_decision_counts(client: OrderClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The records name the newest move, and count the order."""
    assert change_between(client, monkeypatch, lambda: client.start_order("O-1")) == ["ADMIT", "ADMIT"]
    decision = client.ask(client.person, amount=300).json()
    record = decisions.recorded_inputs(client.context.database, decision["decision_id"])
    assert record["question"]["in_service"] == 1
    assert audit.verify(client.context.database).first_break is None


def test_terms_that_changed_after_the_decision_count(client: OrderClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def close() -> None:
        sign_up(client.context.database, "inn", "hotel", Terms("hotel", allowed=("nobody",)), client.now)

    assert change_between(client, monkeypatch, close) == ["not_on_allow_list"] * 2


def test_a_decision_of_another_process_after_the_decision_counts(
    client: OrderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the cap of 10,000 in thirty days, another merchant takes all but nothing."""
    other = client.issue("merchant", "lodge")

    def take() -> None:
        for number, amount in enumerate((500_000, 500_000)):
            client.ask(client.person, (other, client.issue("merchant", "manor"))[number], amount=amount)

    assert change_between(client, monkeypatch, take) == ["DECLINE", "DECLINE"]


def test_only_the_people_of_whom_another_decision_counts_are_decided_about_again(
    client: OrderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two people the first has used up the cap meanwhile. The second's decision holds."""
    second = str(client.scores.filter(client.scores["score"] >= 750)["person"][1])
    client.consent(second)
    merchants = [client.issue("merchant", name) for name in ("lodge", "manor")]
    for token in merchants:  # each has consent from now on
        client.ask(client.person, token, amount=100)
    client.now += timedelta(days=2)
    batch = questions(client)
    batch = [*batch, replace(batch[0], subject=second, transaction_id="S-1"), replace(batch[1], transaction_id="S-1")]
    first = eligibility._decide_ahead(client.context, batch)
    assert first is not None
    for token in merchants:
        client.ask(client.person, token, amount=500_000)
    ahead = eligibility._decide_ahead
    monkeypatch.setattr(eligibility, "_decide_ahead", lambda *_: first)
    results = eligibility.answer_questions(replace(client.context, decides_ahead=True), batch)
    monkeypatch.setattr(eligibility, "_decide_ahead", ahead)
    assert outcomes(results) == ["DECLINE", "DECLINE", "ADMIT", "transaction_mismatch"]
    assert results[2] is first.results[2]
    assert audit.verify(client.context.database).first_break is None


def test_processes_that_decide_ahead_never_exceed_a_cap_together(client: OrderClient) -> None:
    merchants = [f"inn-{n}" for n in range(6)]
    for merchant in merchants:
        client.ask(client.person, client.issue("merchant", merchant), amount=100)
    client.now += timedelta(days=2)
    context = replace(client.context, decides_ahead=True)
    with ThreadPoolExecutor(len(merchants)) as threads:
        batches = [questions(client, (300_000, 300_000), merchant) for merchant in merchants]
        results = list(threads.map(lambda batch: eligibility.answer_questions(context, batch), batches))
    waived = [batch[-1].waived for batch in results if isinstance(batch[-1], DecisionResult)]
    assert sum(waived) == 1_000_000  # the whole cap of thirty days
    assert audit.verify(client.context.database).first_break is None
