"""Three months of simulated activity for a fresh database of demo data, through the actions that everybody uses.

We simulate the `PERIOD` before now. The evidence ends in the past, so we shift time: a moment so many days before now uses features as
of so many days before the evidence ends. The last build, which follows the activity, is as of the end.

A fresh database is one whose mark says that we filled it, that holds no other event, and in which nothing was decided yet.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl
from sqlalchemy import func, select

from api.demo import plan
from api.demo.callbacks import DemoDeliveries
from api.demo.casework import ADVERSE_KINDS, DemoCases, DisputableItem, disputable_items
from api.demo.contributions import DemoContributor
from api.demo.parties import MERCHANTS, DemoMerchant
from api.demo.plan import PERIOD, SHORTEST, Customer, DemoSession, Purchase
from api.demo.questions import DemoTill
from api.demo.rule_change import propose_change
from api.demo.simulation import Simulation
from api.evidence import ledger
from api.features import builds
from api.jobs.order_clock import tick_orders
from api.merchants import services
from api.merchants.services import Terms
from api.releases.release_log import read_state
from api.runtime import demo_mark
from api.runtime.bootstrap import StageTimer
from api.runtime.context import AppContext
from api.runtime.demo_mark import DemoMark
from api.runtime.scoring import score_everyone
from api.runtime.seed_data import SeedData
from api.store.database import Database, reading
from api.store.tables import CHAIN_HEAD
from api.supervision import digests
from api.telemetry.progress import ProgressReporter

SEED: Final = 1
_BUILDS: Final = 2  # in the period, before the one that follows it
_FEW_ITEMS: Final = 12
_PROPOSED: Final = timedelta(days=1, hours=6)  # before the end
_PERSON_SCORES: Final = range(
    600, 720
)  # of the person as whom a newcomer signs in: something to raise, something to have


@dataclass(frozen=True)
class DemoHistory:
    """What `bootstrap` calls for a fresh database: when the simulation begins, and the simulation."""

    period: timedelta = PERIOD

    def opens_at(self, seed_data: SeedData, now: datetime) -> datetime:
        """The moment at which the evidence is loaded: `now` without demo data, or if the evidence is too new."""
        if not seed_data.is_demo or seed_data.as_of is None:
            return now
        opens_at = max(seed_data.as_of, now - self.period)
        return opens_at if opens_at + SHORTEST <= now else now

    def add(
        self,
        context: AppContext,
        seed_data: SeedData,
        purpose: str,
        now: datetime,
        steps: ProgressReporter,
        timer: StageTimer,
    ) -> AppContext:
        """Simulate, if the database is fresh. Returns the context under the newest step of the release log."""
        mark = demo_mark.read_mark(context.database)
        if mark is None or seed_data.as_of is None:
            return context
        begins_at = max(mark.loaded_at, now - self.period)
        obstacle = why_not(context.database, mark) or (
            "the evidence is too new" if begins_at + SHORTEST > now else None
        )
        if obstacle or not demo_mark.begin_activity(context.database, begins_at):
            timer.timings.append(("activity", 0.0, obstacle or "another process adds it"))
            return context
        with timer.stage("activity") as notes, steps.progress("simulating three months of activity") as on_progress:
            simulation = Simulation(context, purpose, now)
            run = _Rehearsal(simulation, seed_data, begins_at)
            for count, total in run.steps():
                on_progress(count, total)
            demo_mark.end_activity(context.database, now, run.person)
            notes.append(_summary(simulation))
        return simulation.context


def why_not(database: Database, mark: DemoMark) -> str | None:
    """Why we add no activity to a marked database, or None."""
    if mark.activity_to is not None:
        return "it is there already"
    if mark.activity_from is not None:
        return "it was interrupted: `make clean` begins anew"
    with reading(database) as connection:
        decided = connection.execute(select(func.sum(CHAIN_HEAD.c.length)).where(CHAIN_HEAD.c.id < 3)).scalar_one()
    if mark.events is None or ledger.extent(database).events != mark.events or decided:
        return "none: the database holds more than the demo's evidence"
    state = read_state(database)
    return "none: people have proposed or signed rules" if state.keys or state.proposals else None


def _summary(simulation: Simulation) -> str:
    totals = simulation.totals
    return ", ".join(f"{totals[name]:,} {name}" for name in ("questions", "orders", "disputes", "reviews"))


@dataclass
class _Rehearsal:
    """One run of the simulation, from the first build to the last session."""

    simulation: Simulation
    seed_data: SeedData
    begins_at: datetime
    person: str | None = None

    def steps(self) -> Iterator[tuple[int, int]]:
        """Simulate session by session. Yields the number of sessions done, and of all."""
        simulation = self.simulation
        sessions = plan.sessions(self.begins_at, simulation.ends_at)
        self._build(self.begins_at)
        people = self._people()
        chosen = plan.customers(people, SEED)
        merchants = _merchants(simulation.context)
        self._sign_up(merchants)
        if not chosen or not merchants or not sessions:
            return
        agenda = list(plan.plan_visits(chosen, merchants, sessions, SEED))
        till, deliveries = DemoTill(simulation), DemoDeliveries(simulation)
        self._schedule(chosen, till, [visit for _, visits in agenda for visit in visits])
        rebuild_at = [len(agenda) * turn // _BUILDS for turn in range(1, _BUILDS)]
        for number, (session, visits) in enumerate(agenda):
            if number in rebuild_at:
                self._build(session.opens_at)
            self._begin_session(session, deliveries)
            till.ask(session, visits)
            simulation.run(session)
            tick_orders(simulation.context, session.closes_at)
            yield number + 1, len(agenda)

    def _begin_session(self, session: DemoSession, deliveries: DemoDeliveries) -> None:
        """Once a day: the digests of the days that are over, and the callbacks that wait."""
        digests.make_digests(self.simulation.context.database, session.opens_at)
        deliveries.deliver(session.opens_at)

    def _schedule(self, chosen: list[Customer], till: DemoTill, visits: list[Purchase]) -> None:
        simulation = self.simulation
        items = self._items(chosen)
        self.person = _person(chosen, items, visits)
        first = [items.pop(self.person)] if self.person in items else []
        DemoCases(simulation, till, [*first, *(items[name] for name in sorted(items))]).schedule(self.person)
        DemoContributor(simulation, [one.person for one in chosen]).schedule(self.begins_at)
        simulation.schedule(simulation.ends_at - _PROPOSED, lambda now: propose_change(simulation, now))

    def _items(self, chosen: list[Customer]) -> dict[str, DisputableItem]:
        """What these people dispute, by person: adverse items, or else a payment."""
        database, people = self.simulation.context.database, [one.person for one in chosen]
        adverse = disputable_items(database, people, ADVERSE_KINDS)
        return adverse if len(adverse) > _FEW_ITEMS else disputable_items(database, people, ("payment.made",)) | adverse

    def _build(self, now: datetime) -> None:
        """Build and score as of the moment of the evidence that corresponds to now."""
        context, as_of = self.simulation.context, self.seed_data.as_of
        assert as_of is not None  # noqa: S101 - the evidence of a demo has an end
        as_of -= self.simulation.ends_at - now
        build = builds.build_features(context.database, as_of, self.simulation.purpose, now, release=context.release)
        score_everyone(context, build)

    def _people(self) -> list[Customer]:
        """Everybody in the build, with the risk that an order is overdue."""
        context = self.simulation.context
        build = builds.latest_build(context.database)
        scores = pl.DataFrame() if build is None else builds.scores(context.database, build)
        risks: Mapping[str, float] = self.seed_data.risks() if self.seed_data.risks else {}
        people = (
            Customer(person, score, risks.get(person, _risk_by_score(score)))
            for person, score in scores.select("person", "score").iter_rows()
        )
        return plan.with_common_risk(list(people))

    def _sign_up(self, merchants: tuple[DemoMerchant, ...]) -> None:
        for merchant in merchants:
            for service in merchant.services:
                terms = Terms(service.perk, callback=merchant.callback)
                services.sign_up(self.simulation.context.database, merchant.party, service.id, terms, self.begins_at)


def _merchants(context: AppContext) -> tuple[DemoMerchant, ...]:
    """The merchants with the services whose perks the rules have."""
    program = context.release.at(context.day(context.since))
    fitting = (
        replace(merchant, services=tuple(service for service in merchant.services if program.perk(service.perk)))
        for merchant in MERCHANTS
    )
    return tuple(merchant for merchant in fitting if merchant.services)


def _risk_by_score(score: int | None) -> float:
    """The risk where nobody knows the truth: a half at 550, an eighth at 620, one in forty at 700."""
    return 0.3 if score is None else 1 / (1 + math.exp((score - 550) / 40))


def _person(chosen: list[Customer], items: Mapping[str, object], visits: list[Purchase]) -> str | None:
    """The person with the most to show: in the middle of the scores, with an item to dispute, and the most visits."""
    counts: dict[str, int] = {}
    for visit in visits:
        counts[visit.customer.person] = counts.get(visit.customer.person, 0) + 1
    fitting = [one for one in chosen if one.score in _PERSON_SCORES] or chosen
    return max(fitting, key=lambda one: (one.person in items, counts.get(one.person, 0), one.person)).person
