"""Exposure: the open waivers of a person never exceed the caps of the rules, for any interleaving of requests."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import polars as pl
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from api.decisions.eligibility import answer_question
from api.decisions.question import EligibilityQuestion
from api.evidence import ledger
from api.features import builds
from api.jobs.order_clock import tick_orders
from api.merchants import services
from api.merchants.services import Terms
from api.orders import order_store, orders
from api.orders.order_store import Order
from api.orders.orders import NewOrder, OrderRequest
from api.runtime.context import AppContext
from api.runtime.scoring import current_build
from api.store.database import open_database, reading
from api.supervision import audit
from engine.decide.evaluators import Evaluators
from engine.errors import Rejected
from tests.api.cap_rules import limit_violations
from tests.api.database_templates import Template
from tests.api.merchant_client import consent_events
from tests.api.order_client import OrderClient
from tests.api.town import NOW, shipped_release
from tests.effort import by_effort

MERCHANTS, PERKS = ("inn", "lodge", "manor"), ("hotel", "car", "power_bank")
AMOUNTS = {"hotel": (500_000, 500_000, 100), "car": (2_500_000, 1_200_000), "power_bank": (9_900, 5_000)}


def prepare_market(context: AppContext) -> str:
    """Merchants with consent to ask about the person with the best score among those who may have a car."""
    build = current_build(context)
    scores = builds.scores(context.database, build).sort("score", descending=True, nulls_last=True)
    values = builds.values_of(context.database, build, context.program(build))
    identified = values.filter(pl.col("identity.level") >= 2)["person"]
    person = str(scores.filter(pl.col("person").is_in(identified.implode()))["person"][0])
    for merchant in MERCHANTS:
        for perk in PERKS:
            services.sign_up(context.database, merchant, perk, Terms(perk), NOW)
            ledger.append(context.database, consent_events([person], merchant, perk, NOW), NOW)
    return person


class Market(RuleBasedStateMachine):
    """Three merchants, one person, servers whose clocks differ, and time."""

    template_path: ClassVar[Path]  # a town, to copy from
    evaluators: ClassVar[Evaluators]
    outcomes: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        shutil.copy(self.template_path, Path(self.folder.name) / "iftah.db")
        self.context = AppContext(open_database(f"sqlite:///{self.folder.name}/iftah.db"), self.evaluators)
        self.now = NOW + timedelta(hours=1)
        self.decisions: list[tuple[str, str, str, int]] = []  # merchant, perk, decision, waived
        self.order_count = 0

    def teardown(self) -> None:
        assert audit.verify(self.context.database).first_break is None
        self.context.database.dispose()
        self.folder.cleanup()

    @initialize()
    def begin(self) -> None:
        self.person = prepare_market(self.context)

    def attempt(self, action: Callable[[], Any]) -> Any:
        """The result of an action, or None if it is rejected; we remember the code of a rejection."""
        try:
            return action()
        except Rejected as refused:
            self.outcomes.add(refused.code)
            return None

    skews = st.sampled_from([0, 0, 0, 1, 25]).map(lambda hours: timedelta(hours=hours))

    # Mostly rooms: theirs is the cap that is soonest reached.
    @rule(merchant=st.sampled_from(MERCHANTS), perk=st.sampled_from(("hotel",) * 4 + PERKS), data=st.data(), skew=skews)
    def ask(self, merchant: str, perk: str, data: st.DataObject, skew: timedelta) -> None:
        self._ask(merchant, perk, data.draw(st.sampled_from(AMOUNTS[perk])), skew)

    def _ask(self, merchant: str, perk: str, amount: int, skew: timedelta) -> None:
        question = EligibilityQuestion(merchant, None, self.person, "", amount, "", self.now - skew, service=perk)
        result = self.attempt(lambda: answer_question(self.context, question))
        if result and result.waived:
            self.decisions.append((merchant, perk, result.id, result.waived))

    @rule(first=st.sampled_from(MERCHANTS))
    def rush(self, first: str) -> None:
        """One merchant asks for a room, then for a cheaper one; all others ask for the full cap."""
        self._ask(first, "hotel", 500_000, timedelta())
        for merchant in (first, *MERCHANTS):
            self._ask(merchant, "hotel", 100 if merchant == first else 500_000, timedelta())

    @rule(data=st.data(), skew=skews, at_once=st.booleans())
    def order(self, data: st.DataObject, skew: timedelta, at_once: bool) -> None:
        if not self.decisions:
            return
        merchant, perk, decision, waived = entry = data.draw(st.sampled_from(self.decisions[-12:]))
        self.order_count += 1
        new = NewOrder(f"O-{self.order_count}", perk, decision, waived, None, None, not at_once, {})
        order = self.attempt(lambda: orders.create(self.context, merchant, new, self.now - skew))
        if order:
            self.outcomes.add(order.state)
            if data.draw(st.integers(0, 4)):  # or it is tried once more
                self.decisions.remove(entry)

    @rule(data=st.data(), action=st.sampled_from(["confirm", "confirm", "cancel", "complete", "pay", "pay", "dispute"]))
    def move(self, data: st.DataObject, action: str) -> None:
        with reading(self.context.database) as connection:
            open_orders = order_store.list_orders(connection, order_store.ORDERS.c.closed_at.is_(None), 20)
        if not open_orders:
            return
        target = data.draw(st.sampled_from(sorted(open_orders, key=lambda order: int(order.out_order_no[2:]))))
        self.attempt(lambda: self._apply(target, action))

    def _apply(self, order: Order, action: str) -> Order:
        def find(connection: Any) -> Order:
            return order_store.of_person(connection, self.person, order.id)

        if action == "dispute":
            return orders.dispute(self.context, find, "person", None if order.disputed else "no", self.now)
        form = {"post_payments": [{"amount": order.waived}]}
        request = (
            orders.completion(form, 0, self.now, self.now, self.now) if action == "complete" else OrderRequest(action)
        )
        return orders.apply_request(self.context, find, request, self.now)

    @rule(hours=st.sampled_from([0, 0, 0, 1, 1, 23, 25, 24 * 8, 24 * 31]))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def clock(self) -> None:
        self.outcomes.add(f"{bool(tick_orders(self.context, self.now))} by the clock")

    @invariant()
    def nothing_is_passed(self) -> None:
        with reading(self.context.database) as connection:
            assert limit_violations(connection, self.now) == []


@pytest.fixture
def market(town_template: Template) -> Iterator[type[Market]]:
    Market.template_path = town_template.file
    Market.evaluators = Evaluators(shipped_release())
    yield Market
    Market.evaluators.close()


def test_no_sequence_of_questions_orders_and_time_exceeds_a_cap(market: type[Market]) -> None:
    profile = settings(
        max_examples=by_effort(6, 400), stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
    )
    expected = {"created", "in_service", "wrong_state"}  # it is no desert
    for _ in range(5):  # random choices: sometimes a dozen sequences are all short
        run_state_machine_as_test(market, settings=profile)
        if expected <= market.outcomes:
            break
    assert expected <= market.outcomes


def test_a_late_clock_does_not_grant_an_amount_twice(town: AppContext) -> None:
    """One server's clock says that the answer has expired, and gives the amount to another merchant; another clock says it is valid."""
    person, now = prepare_market(town), NOW + timedelta(hours=1)

    def ask(merchant: str, at: datetime) -> Any:
        question = EligibilityQuestion(merchant, None, person, "", 500_000, "", at, service="hotel")
        return answer_question(town, question)

    first, second = ask("inn", now), ask("lodge", now)
    assert (first.waived, second.waived) == (500_000, 500_000)
    later = now + timedelta(hours=24)
    assert ask("manor", later).waived == 500_000
    new = NewOrder("O-1", "hotel", first.id, 500_000, None, None, True, {})
    with pytest.raises(Rejected) as error:
        orders.create(town, "inn", new, later - timedelta(seconds=1))
    assert error.value.code == "decision_expired"


@pytest.mark.parametrize("town_url", ["postgresql"], indirect=True)
def test_thirty_two_concurrent_clients_exceed_no_cap(town: AppContext) -> None:
    client, client_count = OrderClient(town), 32
    client.advance(days=1)
    tokens = [client.issue("merchant", f"inn-{n}") for n in range(client_count)]
    for token in tokens:
        client.consented_subjects[token, "hotel"] = {client.person}
        client.sign_up(token)
    events = [consent_events([client.person], f"inn-{n}", "hotel", client.now) for n in range(client_count)]
    ledger.append(town.database, pl.concat(events), client.now)

    def ask_and_order(token: str) -> tuple[int, list[str]]:
        """Ask for the maximum amount, and order everything granted. Returns the amount waived, and the caps that are exceeded meanwhile."""
        answer = client.ask(client.person, token, amount=400_000).json()
        if answer["waived_amount"]:
            response = client.create_order("O-1", answer["decision_id"], token, amount=answer["waived_amount"])
            assert response.json()["state"] == "created", response.text
        with reading(town.database) as connection:
            return answer["waived_amount"], limit_violations(connection, client.now)

    with ThreadPoolExecutor(client_count) as threads:
        results = list(threads.map(ask_and_order, tokens))
    assert [violation for _, violations in results for violation in violations] == []
    assert sum(waived for waived, _ in results) == 1_000_000  # the whole cap


@pytest.mark.parametrize("town_url", ["postgresql"], indirect=True)
def test_three_of_thirty_two_concurrent_confirmations_start(town: AppContext) -> None:
    client, client_count = OrderClient(town), 32
    decisions = [client.decide(100, perk="hotel")["decision_id"]]
    tokens = [client.issue("merchant", f"inn-{n}") for n in range(client_count)]
    events = [consent_events([client.person], f"inn-{n}", "hotel", client.now) for n in range(client_count)]
    ledger.append(town.database, pl.concat(events), client.now)
    order_ids = []
    for token in tokens:
        client.consented_subjects[token, "hotel"] = {client.person}
        client.sign_up(token)
        decisions.append(client.ask(client.person, token, amount=100).json()["decision_id"])
        order_ids.append(client.create_order("O-1", decisions[-1], token, amount=100).json()["order_id"])
    with ThreadPoolExecutor(client_count) as threads:
        statuses = list(threads.map(lambda name: client.confirm(name).status_code, order_ids))
    assert sorted(statuses) == [200] * 3 + [409] * (client_count - 3)
    with reading(town.database) as connection:
        assert limit_violations(connection, client.now) == []
