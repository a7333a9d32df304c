"""The plan of the simulated activity: who asks for whom, when, and how people keep their word. Pure and deterministic by seed.

A day has two sessions. In a session, merchants first ask for some hours; then orders, payments and cases move. So the decisions of a
session are one batch, and everything is recorded in the order in which it happens.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from api.demo.parties import DemoMerchant, DemoService

PERIOD: Final = timedelta(days=90)
SHORTEST: Final = timedelta(days=7)  # with less time we simulate nothing
ASKING: Final = timedelta(hours=4)
_SESSION_HOURS: Final = (0, 7)  # UTC: from 8 and from 15 o'clock in the town
_QUESTIONS_A_DAY: Final = 4.5
_WEEKEND: Final = 1.4  # as many questions, relative to a working day
_GROWTH: Final = 0.5  # of questions a day, over the whole period
_CUSTOMERS: Final = 110
_UNSCORED_SHARE: Final = 0.06  # of the customers
_LIKE_SCORES: Final = 50  # points
_CITIES: Final = ("shanghai", "hangzhou", "chengdu", "lisbon")
_UNUSUAL: Final = 0.12  # how likely a person comes for a service that usually wants a higher score
REQUESTED, VOLUNTARY, ABSENT, DECLINED = "requested", "voluntary", "absent", "declined"  # ways in which people consent
_CONSENT_SHARES: Final = (0.45, 0.515, 0.02, 0.015)


@dataclass(frozen=True)
class Customer:
    """A person who uses services. `risk`: the probability that an order of people with like scores is overdue."""

    person: str
    score: int | None
    risk: float


@dataclass(frozen=True)
class DemoSession:
    """Merchants ask from `opens_at` until `asks_until`; everything else happens from then until `closes_at`."""

    opens_at: datetime
    asks_until: datetime
    closes_at: datetime


@dataclass(frozen=True)
class Purchase:
    """A person comes to a merchant, which asks. `hours`: how long the service lasts. `draw`: decides what becomes of the order."""

    number: int
    at: datetime
    merchant: DemoMerchant
    service: DemoService
    customer: Customer
    amount: int
    hours: int
    consent: str
    draw: float

    @property
    def service_name(self) -> str:
        """The service, as consents name it."""
        return f"{self.merchant.party}/{self.service.id}"

    def context(self, fields: Sequence[str]) -> Mapping[str, object]:
        """The request's own fields that the perk knows, among `fields`."""
        values = {"nights": max(1, self.hours // 24), "city": _CITIES[self.number % len(_CITIES)]}
        return {name: value for name, value in values.items() if name in fields}


def with_common_risk(people: Sequence[Customer]) -> list[Customer]:
    """The same people, each with the mean risk of those with like scores: few orders then show how the risk falls with the score."""
    groups: dict[int, list[float]] = {}
    for one in people:
        groups.setdefault(_group(one), []).append(one.risk)
    return [replace(one, risk=sum(groups[_group(one)]) / len(groups[_group(one)])) for one in people]


def _group(customer: Customer) -> int:
    return (customer.score or 0) // _LIKE_SCORES


def sessions(begins_at: datetime, ends_at: datetime) -> list[DemoSession]:
    """The sessions between two moments, in order. The last one lasts until the end."""
    day = begins_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    all_opens = (
        day + timedelta(days=n, hours=hour) for n in range((ends_at - day).days + 1) for hour in _SESSION_HOURS
    )
    opens = [at for at in all_opens if begins_at <= at and at + ASKING < ends_at]
    return [
        DemoSession(opens_at, opens_at + ASKING, closes_at)
        for opens_at, closes_at in zip(opens, [*opens[1:], ends_at], strict=True)
    ]


def customers(people: Sequence[Customer], seed: int) -> list[Customer]:
    """The people who use services: a few without a score among them."""
    rng = np.random.default_rng([seed, 1])
    scored = [one for one in people if one.score is not None]
    unscored = [one for one in people if one.score is None]
    unscored_count = min(len(unscored), round(_CUSTOMERS * _UNSCORED_SHARE))
    chosen = [
        *_sample(rng, scored, min(len(scored), _CUSTOMERS - unscored_count)),
        *_sample(rng, unscored, unscored_count),
    ]
    return sorted(chosen, key=lambda one: one.person)


def _sample(rng: np.random.Generator, people: Sequence[Customer], count: int) -> list[Customer]:
    return [people[place] for place in rng.choice(len(people), count, replace=False)] if count else []


def plan_visits(
    chosen: Sequence[Customer], merchants: Sequence[DemoMerchant], all_sessions: Sequence[DemoSession], seed: int
) -> Iterator[tuple[DemoSession, list[Purchase]]]:
    """The visits of each session, in order. Who consented to a service once does so again."""
    rng = np.random.default_rng([seed, 2])
    offers = [(merchant, service) for merchant in merchants for service in merchant.services]
    shares = np.array([service.weight for _, service in offers], dtype=np.float64)
    habits = rng.lognormal(0.0, 0.8, len(chosen))
    usual = np.array([[_is_usual(one, service) for _, service in offers] for one in chosen])
    likely = np.where(usual, 1.0, _UNUSUAL)
    habits *= likely.mean(axis=1)
    tastes = rng.random((len(chosen), len(offers))) ** 6 * shares * likely  # a person uses few of the services
    numbers, consents = iter(range(1, 1_000_000)), dict[tuple[str, str, str], str]()
    for place, session in enumerate(all_sessions):
        progress = place / max(1, len(all_sessions) - 1)
        weekend = _WEEKEND if session.opens_at.weekday() >= 5 else 1.0
        expected = _QUESTIONS_A_DAY / len(_SESSION_HOURS) * weekend * (1 - _GROWTH / 2 + _GROWTH * progress)
        visits = []
        for minutes in sorted(rng.integers(1, 236, rng.poisson(expected))):
            customer = int(rng.choice(len(chosen), p=habits / habits.sum()))
            offer = int(rng.choice(len(offers), p=tastes[customer] / tastes[customer].sum()))
            merchant, service = offers[offer]
            key = (chosen[customer].person, merchant.party, service.id)
            way = str(rng.choice((REQUESTED, VOLUNTARY, ABSENT, DECLINED), p=_CONSENT_SHARES))
            visits.append(
                Purchase(
                    number=next(numbers),
                    at=session.opens_at + timedelta(minutes=int(minutes), seconds=int(rng.integers(0, 60))),
                    merchant=merchant,
                    service=service,
                    customer=chosen[customer],
                    amount=service.amounts[int(rng.integers(0, len(service.amounts)))],
                    hours=int(rng.integers(service.hours[0], service.hours[1] + 1)),
                    consent=consents.setdefault(key, way),
                    draw=float(rng.random()),
                )
            )
        yield session, sorted(visits, key=lambda visit: visit.at)


def _is_usual(customer: Customer, service: DemoService) -> bool:
    return customer.score is None or customer.score >= service.usual_score


class PromiseKeeping:
    """Decide which orders become overdue: among people of like scores as many as their risks add up to, so that few orders show it."""

    def __init__(self) -> None:
        self._sums: dict[int, float] = {}

    def is_overdue(self, customer: Customer) -> bool:
        """Whether the person's next order becomes overdue."""
        group = _group(customer)
        before = self._sums.get(group, 0.5)
        self._sums[group] = before + customer.risk
        return int(before + customer.risk) > int(before)
