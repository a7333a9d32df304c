"""Champion and challenger: a trial's people make orders over HTTP that end well, overdue, disputed or not at all, on both databases.

An oracle apart counts the ends, and takes its intervals from SciPy.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import hypot, sqrt
from typing import Any, Final

import pytest
from scipy.stats import binomtest, norm

from api.jobs.order_clock import tick_orders
from api.runtime.context import AppContext
from api.store.clock import iso
from tests.api.merchant_client import MerchantClient
from tests.api.proposals.test_trials import TownOnTrial

# The challenger declines people from 550 to 719, and waives up to 120 CNY where the champion waives 99 or nothing.
BAR: Final = 640  # of the challenger: some half of the people whom the champion admits have it
CHALLENGER_RULES: Final = {
    "perks": f"when: score >= 550, waive: {{up_to: 99 CNY}} -> when: score >= {BAR}, waive: {{up_to: 120 CNY}}"
}
HALF: Final = {"stages": [{"share": "50%", "hours": 1_000}, {"share": "100%"}]}
AMOUNT, LARGE_AMOUNT = 9_900, 12_000
PAY_WITHIN: Final = timedelta(days=8)  # a day more than the person has
Rate = tuple[int, int, float | None, float | None, float | None]  # bad, orders, rate, low, high
Difference = tuple[float, float, float]


@dataclass(frozen=True)
class Ending:
    """How an order ends: the requests of the merchant and of the person, and what the comparison should count."""

    actions: tuple[str, ...]
    is_final: bool = True
    is_overdue: bool = False
    is_disputed: bool = False


ENDINGS: Final = {
    "paid": Ending(("complete", "pay")),
    "paid at once": Ending(("complete", "pay")),
    "nothing to pay": Ending(("complete_free",)),
    "overdue": Ending(("complete", "wait"), is_overdue=True),
    "overdue, then paid": Ending(("complete", "wait", "pay"), is_overdue=True),
    "paid in time, reported late": Ending(("complete", "wait", "sync")),
    "in dispute": Ending(("complete", "dispute"), is_disputed=True),
    "disputed in service": Ending(("dispute",), is_disputed=True),
    "disputed, then paid": Ending(("complete", "dispute", "pay"), is_disputed=True),
    "disputed, then agreed and overdue": Ending(
        ("complete", "dispute", "withdraw", "wait"), is_overdue=True, is_disputed=True
    ),
    "decision in review": Ending(("complete", "pay", "review"), is_disputed=True),
    "cancelled": Ending(("cancel",), is_final=False),
    "in service": Ending((), is_final=False),
    "still due": Ending(("complete",), is_final=False),
    "no order": Ending(("none",), is_final=False),
}


class TrialMerchant:
    """The merchant whose customers are on trial, and an operator who reads the record."""

    def __init__(self, trial: TownOnTrial) -> None:
        self.trial, self.client = trial, MerchantClient(trial.context)
        self.client.token = self.client.issue("merchant", "stand")
        self.operator = self.client.issue("operator", "wang")
        self.decisions: dict[str, dict[str, Any]] = {}
        self.endings: dict[str, list[Ending]] = {}

    def ask(self, persons: Iterable[str], amount: int = AMOUNT) -> list[str]:
        """Ask about the people. Returns those who may have a power bank without a deposit."""
        people = list(persons)
        for person in people:
            response = self.client.ask(person, perk="power_bank", amount=amount)
            assert response.status_code == 200, response.text
            self.decisions[person] = response.json()
        return [person for person in people if self.decisions[person]["outcome"] == "ADMIT"]

    def let_end(self, endings: Mapping[str, Ending]) -> None:
        """Make an order of each person's decision, and let them all end. Those that nobody pays become overdue meanwhile."""
        for person, ending in endings.items():
            self.endings.setdefault(person, []).append(ending)
            if ending.actions != ("none",):
                self._create(person)
        late = {p: e for p, e in endings.items() if "wait" in e.actions}
        for person, ending in late.items():
            self._act(person, ending.actions[: ending.actions.index("wait")])
        self.client.now += PAY_WITHIN
        assert tick_orders(self.trial.context, self.client.now) == len(late)
        for person, ending in late.items():
            self._act(person, ending.actions[ending.actions.index("wait") + 1 :])
        for person, ending in endings.items():
            if person not in late:
                self._act(person, ending.actions)

    def _create(self, person: str) -> None:
        fund = {"name": "DEPOSIT", "amount": AMOUNT}
        body = {"service": "power_bank", "decision_id": self.decisions[person]["decision_id"], "risk_fund": fund}
        body |= {"out_order_no": self._number(person), "service_introduction": "a power bank"}
        response = self.client.http.post(
            "/v1/orders", json=body | {"need_user_confirm": False}, headers=self.client.bearer(self.client.token)
        )
        assert response.status_code == 201, response.text

    def _number(self, person: str) -> str:
        return f"{person}-{len(self.endings[person])}"

    def _act(self, person: str, actions: Iterable[str]) -> None:
        for action in actions:
            if action == "review":
                self._ask_for_a_review(person)
            elif action != "none":
                self._post(person, action)

    def _post(self, person: str, action: str) -> None:
        times = [iso(self.client.now - timedelta(hours=hours)) for hours in (2, 1)]
        completion = {"time_range": dict(zip(("start_time", "end_time"), times, strict=True))}
        route, body = {
            "complete": ("complete", {"post_payments": [{"name": "hire", "amount": AMOUNT}], **completion}),
            "complete_free": ("complete", {"post_payments": [{"name": "hire", "amount": 0}], **completion}),
            "pay": ("pay", None),
            "sync": ("sync", {"paid_at": iso(self.client.now - PAY_WITHIN + timedelta(hours=1))}),
            "dispute": ("dispute", {"statement": "it did not charge"}),
            "withdraw": ("dispute", {"statement": None}),
            "cancel": ("cancel", {"cancel_reason": "none left"}),
        }[action]
        path = f"/v1/orders/{self._number(person)}/{route}"
        response = self.client.http.post(path, json=body, headers=self.client.bearer(self.client.token))
        assert response.status_code == 200, (action, response.text)

    def _ask_for_a_review(self, person: str) -> None:
        token = self.client.issue("subject", person)
        body = {"decision_id": self.decisions[person]["decision_id"], "statement": "why?"}
        response = self.client.http.post("/v1/me/reviews", json=body, headers=self.client.bearer(token))
        assert response.status_code == 201, response.text

    def outcomes(self, number: int) -> dict[str, dict[str, Any]]:
        """The comparison of a proposal's trial, by measure, as an operator reads it."""
        path = f"/v1/proposals/{number}/record"
        response = self.client.http.get(path, headers=self.client.bearer(self.operator))
        assert response.status_code == 200, response.text
        return {one["measure"]: one for one in response.json()["outcomes"]}


@pytest.fixture
def trial(town: AppContext) -> TownOnTrial:
    return TownOnTrial(town, CHALLENGER_RULES)


def in_turn(persons: Iterable[str]) -> dict[str, Ending]:
    """Each way to end, in turn."""
    ways = list(ENDINGS.values())
    return {person: ways[place % len(ways)] for place, person in enumerate(persons)}


def count_of(endings: Iterable[Ending], measure: str) -> tuple[int, int]:
    """The bad ones, and all that count."""
    ends = [ending for ending in endings if ending.is_final]
    return sum(getattr(ending, f"is_{measure}") for ending in ends), len(ends)


def oracle_rate(bad: int, orders: int) -> Rate:
    """The rate with the interval of SciPy."""
    limits = binomtest(bad, orders).proportion_ci(0.95, method="wilson")
    return bad, orders, bad / orders, limits.low, limits.high


def oracle_difference(first: tuple[int, int], second: tuple[int, int]) -> Difference:
    """The difference of two independent rates, with Newcombe's interval (1998, method 10) over SciPy's."""
    (_, _, one, one_low, one_high), (_, _, two, two_low, two_high) = oracle_rate(*first), oracle_rate(*second)
    assert None not in (one, one_low, one_high, two, two_low, two_high)
    low, high = hypot(one - one_low, two_high - two), hypot(one_high - one, two - two_low)  # type: ignore[operator]
    return one - two, one - two - low, one - two + high  # type: ignore[operator]


def rate_of(answer: Mapping[str, Any]) -> Any:
    return pytest.approx(tuple(answer[name] for name in ("bad", "orders", "rate", "low", "high")), abs=1e-6)


def difference_of(answer: Mapping[str, Any]) -> Any:
    return pytest.approx(tuple(answer[name] for name in ("difference", "low", "high")), abs=1e-6)


def test_a_partial_release_compares_the_orders_that_each_arm_admitted(trial: TownOnTrial) -> None:
    number = trial.begin(HALF)
    merchant = TrialMerchant(trial)
    admitted = merchant.ask(trial.persons)
    arms = {p: "champion" if r == trial.context.release.id else "challenger" for p, r in trial.releases().items()}
    by_arm = {arm: in_turn(p for p in admitted if arms[p] == arm) for arm in ("champion", "challenger")}
    assert min(map(len, by_arm.values())) >= len(ENDINGS)
    merchant.let_end(by_arm["champion"] | by_arm["challenger"])
    answers = merchant.outcomes(number)
    for measure in ("overdue", "disputed"):
        champion, challenger = (count_of(by_arm[arm].values(), measure) for arm in ("champion", "challenger"))
        assert oracle_rate(*champion) == rate_of(answers[measure]["champion"])
        assert oracle_rate(*challenger) == rate_of(answers[measure]["challenger"])
        assert oracle_difference(champion, challenger) == difference_of(answers[measure])


def test_a_shadow_compares_the_releases_on_the_same_people(trial: TownOnTrial) -> None:
    number = trial.begin(shadow=True)
    merchant = TrialMerchant(trial)
    scores = dict(merchant.client.scores.select("person", "score").iter_rows())
    unseen = [p for p in trial.persons if scores[p] >= BAR][-5:]
    admitted = merchant.ask(p for p in trial.persons if p not in unseen)
    assert merchant.ask([*unseen, unseen[0]], LARGE_AMOUNT) == []  # one of them twice: it counts once
    both = in_turn(p for p in admitted if scores[p] >= BAR)
    declined = in_turn(p for p in admitted if scores[p] < BAR)
    assert min(len(both), len(declined)) >= len(ENDINGS)
    merchant.let_end(both | declined)
    answers = merchant.outcomes(number)
    for measure in ("overdue", "disputed"):
        parts = [count_of(part.values(), measure) for part in (both, declined)]
        all_orders = (parts[0][0] + parts[1][0], parts[0][1] + parts[1][1])
        answer = answers[measure]
        assert oracle_rate(*all_orders) == rate_of(answer["champion"])
        assert oracle_rate(*parts[0]) == rate_of(answer["both"])
        assert oracle_rate(*parts[1]) == rate_of(answer["champion_only"])
        assert oracle_in_shadow(*parts) == difference_of(answer)
        assert_bounds(answer, parts[0], all_orders, len(unseen))


def oracle_in_shadow(both: tuple[int, int], declined: tuple[int, int]) -> Difference:
    """Newcombe's interval of the disjoint parts, scaled by the share that the challenger declines, and the error of that share."""
    difference, low, high = oracle_difference(declined, both)
    orders = both[1] + declined[1]
    share = declined[1] / orders
    error = norm.ppf(0.975) * difference * sqrt(share * (1 - share) / orders)
    below, above = hypot(share * (difference - low), error), hypot(share * (high - difference), error)
    return share * difference, share * difference - below, share * difference + above


def assert_bounds(answer: Mapping[str, Any], both: tuple[int, int], champion: tuple[int, int], unseen: int) -> None:
    """Of the people whom the challenger alone admits, none or all would have been bad."""
    assert answer["challenger_only_orders"] == unseen
    best, worst = both[0] / (both[1] + unseen), (both[0] + unseen) / (both[1] + unseen)
    rate = champion[0] / champion[1]
    assert answer["challenger_bounds"] == pytest.approx([best, worst], abs=1e-6)
    assert answer["difference_bounds"] == pytest.approx([rate - worst, rate - best], abs=1e-6)


def test_two_orders_of_one_person_that_end_alike_are_no_more_than_one_person(trial: TownOnTrial) -> None:
    """Then SciPy's interval for as many people is the one of twice as many orders."""
    number = trial.begin(shadow=True)
    merchant = TrialMerchant(trial)
    scores = dict(merchant.client.scores.select("person", "score").iter_rows())
    persons = [p for p in merchant.ask(trial.persons) if scores[p] >= BAR][:12]
    for _ in range(2):
        merchant.let_end({p: ENDINGS["decision in review" if p in persons[:3] else "paid"] for p in persons})
        merchant.ask(persons)
    both = merchant.outcomes(number)["disputed"]["both"]
    assert (both["bad"], both["orders"], both["people"]) == (6, 24, 12)
    assert oracle_rate(3, 12)[2:] == pytest.approx((both["rate"], both["low"], both["high"]), abs=1e-6)
