"""A release on trial: in shadow, or for a share of people, with guards, on both databases."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row, select, text

from api.decisions.decisions import DecisionResult
from api.decisions.eligibility import answer_questions
from api.decisions.question import EligibilityQuestion
from api.features import builds
from api.jobs.release_follower import ReleaseFollower
from api.people.erasure import erase
from api.proposals import activations
from api.proposals.trials import advance_trial, view_trial
from api.runtime.context import AppContext
from api.runtime.scoring import current_build
from api.store.clock import micros, moment
from api.store.database import reading, writing
from api.store.tables import DECISION_SUBJECTS, DECISIONS, TRIAL_ANSWERS
from api.supervision import audit
from engine.errors import Rejected
from engine.rollout.sequential import BROKEN
from tests.api.proposals.two_people import TwoPeople, changed_files
from tests.api.town import NOW

FEWER = {"perks": "{id: power_bank.550, when: score >= 550 -> {id: power_bank.550, when: score >= 800"}
HALF = {
    "stages": [{"share": "50%", "hours": 1}, {"share": "100%"}],
    "guards": {"unscorable_rate": {"most": "90%"}},
}


class TownOnTrial:
    """A town whose rules two people change, and a worker that follows the log. `changes` are those of the release on trial."""

    def __init__(self, context: AppContext, changes: Mapping[str, str] = FEWER) -> None:
        self.context, self.changes = context, changes
        self.people = TwoPeople(context.database, micros(NOW))
        self.follower = ReleaseFollower(lambda: self.context, self._swap)
        self.follower.begin()
        scores = builds.scores(context.database, current_build(context))
        self.persons = scores.filter(scores["score"].is_not_null())["person"].to_list()

    def _swap(self, context: AppContext) -> None:
        self.context = context

    def begin(self, plan: Any = None, *, shadow: bool = False) -> int:
        number = self.people.approved(changed_files(**self.changes), plan).number
        begin = activations.begin_shadow if shadow else activations.release_proposal
        begin(self.context.database, self.people.wang, number, self.people.tick())
        self.follower.catch_up()
        return number

    def ask(self, persons: list[str], perk: str = "power_bank", merchant: str = "stand") -> dict[str, DecisionResult]:
        at = moment(self.people.tick(3_600))
        questions = [EligibilityQuestion(merchant, None, person, perk, 9_900, "CNY", at, {}) for person in persons]
        results = {}
        for question, result in zip(questions, answer_questions(self.context, questions), strict=True):
            assert isinstance(result, DecisionResult), result
            results[question.subject] = result
        return results

    def releases(self) -> dict[str, str]:
        """The release of each person's newest decision."""
        joined = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
        query = select(DECISION_SUBJECTS.c.subject, DECISIONS.c.release).select_from(joined).order_by(DECISIONS.c.seq)
        with reading(self.context.database) as connection:
            return {row.subject: row.release for row in connection.execute(query)}

    def answers(self) -> list[Row[Any]]:
        """All answers of the arms."""
        with reading(self.context.database) as connection:
            return list(connection.execute(select(TRIAL_ANSWERS).order_by(TRIAL_ANSWERS.c.seq, TRIAL_ANSWERS.c.arm)))


@pytest.fixture
def trial(town: AppContext) -> TownOnTrial:
    return TownOnTrial(town)


def test_a_shadow_decides_beside_the_release_in_force_and_no_merchant_sees_it(trial: TownOnTrial) -> None:
    persons = trial.persons[:20]
    before = trial.ask(persons)
    number = trial.begin(shadow=True)
    during = trial.ask(persons)
    assert {p: r.outcome for p, r in during.items()} == {p: r.outcome for p, r in before.items()}
    assert set(trial.releases().values()) == {trial.context.release.id}
    champion, candidate = ([a for a in trial.answers() if a.arm == arm] for arm in ("champion", "candidate"))
    assert len(champion) == len(candidate) == len(persons)
    assert {a.proposal for a in candidate} == {number}
    assert [a.outcome for a in candidate] == ["ADMIT" if (a.score or 0) >= 800 else "DECLINE" for a in candidate]
    assert audit.verify(trial.context.database).first_break is None


def test_a_shadow_that_cannot_answer_changes_no_answer(trial: TownOnTrial) -> None:
    files = changed_files(perks="most: 200 CNY -> most: 50 CNY", **{})
    files["perks.yaml"] = files["perks.yaml"].replace("up_to: 99 CNY", "up_to: 50 CNY")
    number = trial.people.approved(files).number
    activations.begin_shadow(trial.context.database, trial.people.wang, number, trial.people.tick())
    trial.follower.catch_up()
    (answer,) = trial.ask(trial.persons[:1]).values()
    assert answer.outcome in ("ADMIT", "DECLINE")
    assert [a.outcome for a in trial.answers() if a.arm == "candidate"] == ["FAILED"]


def test_a_share_of_people_is_decided_by_the_candidate_and_nobody_flips(trial: TownOnTrial) -> None:
    number = trial.begin(HALF)
    trial.ask(trial.persons)
    first = trial.releases()
    candidate = str(trial.people.state.proposals[number].release)
    share = sum(release == candidate for release in first.values()) / len(first)
    assert 0.3 < share < 0.7
    trial.ask(trial.persons)
    assert trial.releases() == first
    assert {a.arm: 0 for a in trial.answers()} == {"champion": 0, "candidate": 0}
    assert audit.verify(trial.context.database).first_break is None


def test_a_trial_is_about_the_perks_and_merchants_of_its_plan(trial: TownOnTrial) -> None:
    trial.begin(
        {
            **HALF,
            "stages": [{"share": "99.99%", "hours": 1}, {"share": "100%"}],
            "perks": ["power_bank"],
            "merchants": ["stand"],
        }
    )
    persons = trial.persons[:30]
    trial.ask(persons, merchant="kiosk")
    assert set(trial.releases().values()) == {trial.context.release.id}
    assert trial.answers() == []
    trial.ask(persons)
    assert trial.context.release.id not in trial.releases().values()


def test_the_audit_names_a_decision_that_another_release_made(trial: TownOnTrial) -> None:
    trial.begin(HALF)
    trial.ask(trial.persons[:4])
    with trial.context.database.begin() as connection:
        row = connection.execute(text("SELECT seq FROM decisions ORDER BY seq DESC LIMIT 1")).one()
    assert audit.verify(trial.context.database).first_break is None
    stopped = trial.people.state.trial
    assert stopped is not None
    activations.stop(trial.context.database, trial.people.wang, stopped, "enough", trial.people.tick())
    # A worker that goes on under the release on trial, and names the newest step all the same.
    head = trial.people.state.hash
    assert trial.context.trial is not None
    cheat = replace(trial.context, head=head, evaluators=trial.context.trial.evaluators, trial=None)
    asked_at = moment(trial.people.tick())
    answer_questions(
        cheat, [EligibilityQuestion("stand", None, trial.persons[0], "power_bank", 9_900, "CNY", asked_at, {})]
    )
    first_break = audit.verify(trial.context.database).first_break
    assert first_break is not None
    assert first_break.seq == row.seq + 1
    assert "the release log names another release" in first_break.problem


def test_stages_end_by_their_time_and_the_last_one_puts_the_release_into_force(trial: TownOnTrial) -> None:
    number = trial.begin(HALF)
    trial.ask(trial.persons[:10])
    assert advance(trial, minutes=30) == "partial"
    assert advance(trial, minutes=60) == "in force"
    trial.follower.catch_up()
    assert trial.context.release.id == trial.people.state.proposals[number].release
    assert trial.context.trial is None
    trial.ask(trial.persons[:3])
    assert audit.verify(trial.context.database).first_break is None


def advance(trial: TownOnTrial, minutes: int) -> str:
    """Look at the trial so many minutes after its stage began. Returns the state of the proposal."""
    (proposal,) = trial.people.state.proposals.values()
    now = moment(proposal.stage_at) + timedelta(minutes=minutes)
    advance_trial(trial.context.database, trial.people.state, micros(now))
    return trial.people.state.proposals[proposal.number].state


GUARD: Mapping[str, Any] = {"guards": {"admit_rate": {"least": "-5%"}}, "confidence": "90%"}


@pytest.mark.parametrize(("on_break", "state"), [("hold", "partial"), ("roll_back", "rolled back")])
def test_a_guard_that_breaks_holds_or_ends_the_trial(trial: TownOnTrial, on_break: str, state: str) -> None:
    number = trial.begin({**HALF, **GUARD, "on_break": on_break})
    trial.ask(trial.persons)
    repeat_answers(trial, times=12)
    view = view_trial(trial.context.database, trial.people.state.proposals[number])
    assert [(v.guard.measure, v.status) for v in view.verdicts] == [("admit_rate", BROKEN)]
    assert advance(trial, minutes=30) == state
    proposal = trial.people.state.proposals[number]
    assert "guard admit_rate is broken" in str(proposal.hold or proposal.reason)
    if state == "partial":
        assert advance(trial, minutes=120) == "partial"  # it waits for an operator
        later = trial.people.tick(9_000)
        activations.begin_stage(trial.context.database, trial.people.wang, number, 0, later)
        assert trial.people.state.proposals[number].hold is None


def repeat_answers(trial: TownOnTrial, times: int) -> None:
    """The same answers about more people, so that we need not ask thousands of questions."""
    with writing(trial.context.database) as connection:
        rows = [dict(row) for row in connection.execute(select(TRIAL_ANSWERS)).mappings()]
        subjects = [dict(row) for row in connection.execute(select(DECISION_SUBJECTS)).mappings()]
        for number in range(1, times):
            shift = number * 1_000_000
            copies = [{**row, "seq": row["seq"] + shift, "subject": f"{row['subject']}-{number}"} for row in subjects]
            connection.execute(DECISION_SUBJECTS.insert(), copies)
            connection.execute(TRIAL_ANSWERS.insert(), [{**row, "seq": row["seq"] + shift} for row in rows])


def test_a_shadow_s_guards_compare_both_answers_to_each_question(trial: TownOnTrial) -> None:
    number = trial.begin({**HALF, **GUARD}, shadow=True)
    trial.ask(trial.persons)
    repeat_answers(trial, times=4)
    view = view_trial(trial.context.database, trial.people.state.proposals[number])
    assert view.answers == 4 * len(trial.persons)
    assert [v.status for v in view.verdicts] == [BROKEN]


def test_erasure_deletes_what_the_arms_answered_about_the_person(trial: TownOnTrial) -> None:
    trial.begin(shadow=True)
    trial.ask(trial.persons[:2])
    erase(trial.context.database, trial.persons[0], moment(trial.people.tick()))
    assert len(trial.answers()) == 2


def test_the_candidate_cannot_bring_other_patterns(trial: TownOnTrial) -> None:
    files = changed_files(watch="within: 30d -> within: 31d")
    number = trial.people.approved(files).number
    with pytest.raises(Rejected) as error:
        activations.begin_shadow(trial.context.database, trial.people.wang, number, trial.people.tick())
    assert error.value.code == "other_flags"


def test_a_worker_that_is_late_takes_the_new_rules_before_it_answers(trial: TownOnTrial) -> None:
    trial.people.release(changed_files(**FEWER))
    (first,) = trial.ask(trial.persons[:1]).values()  # without a look at the log before
    assert trial.releases()[trial.persons[0]] == trial.people.state.activations[-1].release
    assert trial.context.release.id == trial.people.state.activations[-1].release
    assert first.outcome in ("ADMIT", "DECLINE", "UNSCORABLE")
