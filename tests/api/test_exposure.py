"""Exposure: what is waived for one person at one time never passes what the rules allow, whatever the interleaving."""

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

from api import actions, services
from api.background.timekeeper import keep_time
from api.database import open_database, reading
from api.decisions.decisions import Asked
from api.evidence import ledger
from api.features import builds
from api.orders import order_book, orders
from api.orders.order_book import Order
from api.orders.orders import NewOrder, Request
from api.services import Terms
from api.supervision import audit
from api.world import World
from engine.engines import Engines
from engine.errors import Refused
from tests.api.databases import Template
from tests.api.door import consents
from tests.api.exposure import broken
from tests.api.ordering import Counter
from tests.api.world import NOW, shipped
from tests.effort import pairs

MERCHANTS, PERKS = ("inn", "lodge", "manor"), ("hotel", "car", "power_bank")
AMOUNTS = {"hotel": (500_000, 500_000, 100), "car": (2_500_000, 1_200_000), "power_bank": (9_900, 5_000)}


def prepare(world: World) -> str:
    """Merchants who may ask about somebody of the best score."""
    scores = builds.scores(world.database, actions.ready(world)).sort("score", descending=True, nulls_last=True)
    person = str(scores["person"][0])
    for merchant in MERCHANTS:
        for perk in PERKS:
            services.sign_up(world.database, merchant, perk, Terms(perk), NOW)
            ledger.append(world.database, consents([person], merchant, perk, NOW), NOW)
    return person


class Market(RuleBasedStateMachine):
    """Three merchants, one person, servers whose clocks differ, and time."""

    made: ClassVar[Path]  # a town, to copy from
    engines: ClassVar[Engines]
    reached: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        shutil.copy(self.made, Path(self.folder.name) / "iftah.db")
        self.world = World(open_database(f"sqlite:///{self.folder.name}/iftah.db"), self.engines)
        self.now = NOW + timedelta(hours=1)
        self.given: list[tuple[str, str, str, int]] = []  # merchant, perk, decision, waived
        self.numbers = 0

    def teardown(self) -> None:
        assert audit.verify(self.world.database).broken is None
        self.world.database.dispose()
        self.folder.cleanup()

    @initialize()
    def begin(self) -> None:
        self.person = prepare(self.world)

    def tried(self, what: Callable[[], Any]) -> Any:
        """What comes of it; what is refused is refused by what the reference would say, or not at all."""
        try:
            return what()
        except Refused as refused:
            self.reached.add(refused.code)
            return None

    skews = st.sampled_from([0, 0, 0, 1, 25]).map(lambda hours: timedelta(hours=hours))

    # Mostly rooms: theirs is the cap that is soonest reached.
    @rule(merchant=st.sampled_from(MERCHANTS), perk=st.sampled_from(("hotel",) * 4 + PERKS), data=st.data(), skew=skews)
    def ask(self, merchant: str, perk: str, data: st.DataObject, skew: timedelta) -> None:
        self._asked(merchant, perk, data.draw(st.sampled_from(AMOUNTS[perk])), skew)

    def _asked(self, merchant: str, perk: str, amount: int, skew: timedelta) -> None:
        asked = Asked(merchant, None, self.person, "", amount, "", service=perk)
        answer = self.tried(lambda: actions.eligibility(self.world, asked, self.now - skew))
        if answer and answer.waived:
            self.given.append((merchant, perk, answer.id, answer.waived))

    @rule(first=st.sampled_from(MERCHANTS))
    def rush(self, first: str) -> None:
        """One asks for a room, and then for a lesser one; everyone else asks for all that there is."""
        self._asked(first, "hotel", 500_000, timedelta())
        for merchant in (first, *MERCHANTS):
            self._asked(merchant, "hotel", 100 if merchant == first else 500_000, timedelta())

    @rule(data=st.data(), skew=skews, at_once=st.booleans())
    def order(self, data: st.DataObject, skew: timedelta, at_once: bool) -> None:
        if not self.given:
            return
        merchant, perk, decision, waived = one = data.draw(st.sampled_from(self.given[-12:]))
        self.numbers += 1
        new = NewOrder(f"O-{self.numbers}", perk, decision, waived, None, None, not at_once, {})
        made = self.tried(lambda: orders.create(self.world, merchant, new, self.now - skew))
        if made:
            self.reached.add(made.state)
            if data.draw(st.integers(0, 4)):  # or it is tried once more
                self.given.remove(one)

    @rule(data=st.data(), action=st.sampled_from(["confirm", "confirm", "cancel", "complete", "pay", "pay", "dispute"]))
    def move(self, data: st.DataObject, action: str) -> None:
        with reading(self.world.database) as connection:
            known = order_book.page(connection, order_book.ORDERS.c.closed_at.is_(None), 20)
        if not known:
            return
        one = data.draw(st.sampled_from(sorted(known, key=lambda order: int(order.out_order_no[2:]))))
        self.tried(lambda: self._moved(one, action))

    def _moved(self, one: Order, action: str) -> Order:
        def find(connection: Any) -> Order:
            return order_book.of_person(connection, self.person, one.id)

        if action == "dispute":
            return orders.dispute(self.world, find, "person", None if one.disputed else "no", self.now)
        said = {"post_payments": [{"amount": one.waived}]}
        asked = orders.completion(said, 0, self.now, self.now, self.now) if action == "complete" else Request(action)
        return orders.ask(self.world, find, asked, self.now)

    @rule(hours=st.sampled_from([0, 0, 0, 1, 1, 23, 25, 24 * 8, 24 * 31]))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def clock(self) -> None:
        self.reached.add(f"{bool(keep_time(self.world, self.now))} by the clock")

    @invariant()
    def nothing_is_passed(self) -> None:
        with reading(self.world.database) as connection:
            assert broken(connection, self.now) == []


@pytest.fixture
def market(settled: Template) -> Iterator[type[Market]]:
    Market.made = settled.file
    Market.engines = Engines(shipped())
    yield Market
    Market.engines.close()


def test_no_story_of_questions_orders_and_time_passes_a_limit(market: type[Market]) -> None:
    how = settings(
        max_examples=pairs(12, 400), stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
    )
    wanted = {"created", "in_service", "wrong_state"}  # it is no desert
    for _ in range(5):  # what is drawn is left to chance: now and then a dozen stories are all short
        run_state_machine_as_test(market, settings=how)
        if wanted <= market.reached:
            break
    assert wanted <= market.reached


def test_an_answer_ordered_by_a_clock_that_is_behind_is_not_given_twice(town: World) -> None:
    """By one server's clock the answer is not valid any more, and another merchant is given what it waived; by another's it is."""
    person, now = prepare(town), NOW + timedelta(hours=1)

    def ask(merchant: str, at: datetime) -> Any:
        asked = Asked(merchant, None, person, "", 500_000, "", service="hotel")
        return actions.eligibility(town, asked, at)

    first, second = ask("inn", now), ask("lodge", now)
    assert (first.waived, second.waived) == (500_000, 500_000)
    later = now + timedelta(hours=24)
    assert ask("manor", later).waived == 500_000
    new = NewOrder("O-1", "hotel", first.id, 500_000, None, None, True, {})
    with pytest.raises(Refused) as refused:
        orders.create(town, "inn", new, later - timedelta(seconds=1))
    assert refused.value.code == "decision_expired"


@pytest.mark.parametrize("town_url", ["postgresql"], indirect=True)
def test_thirty_two_clients_at_once_pass_no_limit(town: World) -> None:
    counter, clients = Counter(town), 32
    counter.later(days=1)
    tokens = [counter.issue("merchant", f"inn-{n}") for n in range(clients)]
    for token in tokens:
        counter.ready[token, "hotel"] = {counter.person}
        counter.sign_up(token)
    said = [consents([counter.person], f"inn-{n}", "hotel", counter.now) for n in range(clients)]
    ledger.append(town.database, pl.concat(said), counter.now)

    def open_one(token: str) -> tuple[int, list[str]]:
        """Ask for as much as the rules waive at all and order all that is given; what is passed meanwhile."""
        answer = counter.ask(counter.person, token, amount=400_000).json()
        if answer["waived_amount"]:
            made = counter.order("O-1", answer["decision_id"], token, amount=answer["waived_amount"])
            assert made.json()["state"] == "created", made.text
        with reading(town.database) as connection:
            return answer["waived_amount"], broken(connection, counter.now)

    with ThreadPoolExecutor(clients) as threads:
        found = list(threads.map(open_one, tokens))
    assert [passed for _, some in found for passed in some] == []
    assert sum(waived for waived, _ in found) == 1_000_000  # all that there is, to the last unit


@pytest.mark.parametrize("town_url", ["postgresql"], indirect=True)
def test_of_thirty_two_confirmations_at_once_three_begin(town: World) -> None:
    counter, number = Counter(town), 32
    decisions = [counter.decided(100, perk="hotel")["decision_id"]]
    tokens = [counter.issue("merchant", f"inn-{n}") for n in range(number)]
    said = [consents([counter.person], f"inn-{n}", "hotel", counter.now) for n in range(number)]
    ledger.append(town.database, pl.concat(said), counter.now)
    made = []
    for token in tokens:
        counter.ready[token, "hotel"] = {counter.person}
        counter.sign_up(token)
        decisions.append(counter.ask(counter.person, token, amount=100).json()["decision_id"])
        made.append(counter.order("O-1", decisions[-1], token, amount=100).json()["order_id"])
    with ThreadPoolExecutor(number) as threads:
        answers = list(threads.map(lambda name: counter.confirm(name).status_code, made))
    assert sorted(answers) == [200] * 3 + [409] * (number - 3)
    with reading(town.database) as connection:
        assert broken(connection, counter.now) == []
