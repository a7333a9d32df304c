"""The gate and time: schedules, clocks, revoked keys, moved bases, and a break-glass that ends."""

import threading
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from api.jobs.release_follower import advance_releases
from api.proposals import activations, keys, measurement, proposals
from api.releases import releases
from api.releases.steps import public_key_of
from api.runtime.context import AppContext
from api.runtime.rules_in_force import EvaluatorsCache, context_of
from api.store.clock import micros, moment
from tests.api.proposals.gate import (
    HOUR,
    START,
    FollowingWorker,
    fingerprint,
    in_review,
    newcomer,
    rejected,
    release,
    rules_of,
    scheduled,
)
from tests.api.proposals.tiny_rules import TEXTS
from tests.api.proposals.two_people import TwoPeople

# The clock.


def test_a_clock_set_back_before_a_schedule_releases_nothing(people: TwoPeople) -> None:
    number = people.approved(TEXTS["thirteen"]).number
    due = people.now + HOUR * 1_000_000
    activations.schedule(people.database, people.wang, number, due, people.tick())
    early = partial(activations.release_proposal, people.database, people.wang, number, due - 1)
    assert "scheduled for later" in rejected("bad_schedule", early)
    back = people.now - 10_000_000
    behind = partial(activations.release_proposal, people.database, people.wang, number, back)
    assert "clock" in rejected("clock_behind", behind)
    worker = FollowingWorker(people.database)
    advance_releases(worker.context, moment(due - 1))
    assert people.state.proposals[number].state == "scheduled"
    advance_releases(worker.context, moment(due))
    assert people.state.proposals[number].state == "in force"


def test_a_schedule_that_is_past_is_rejected(people: TwoPeople) -> None:
    number = people.approved(TEXTS["thirteen"]).number
    for due in (people.now - 1, people.now):
        past = partial(activations.schedule, people.database, people.wang, number, due, people.now)
        rejected("bad_schedule", past)


def test_the_first_stage_of_a_plan_waits_for_its_schedule_too(people: TwoPeople) -> None:
    plan = {"stages": [{"share": "5%", "hours": 1}, {"share": "100%"}]}
    number = people.approved(TEXTS["thirteen"], plan).number
    due = people.now + HOUR * 1_000_000
    activations.schedule(people.database, people.wang, number, due, people.tick())
    early = partial(activations.release_proposal, people.database, people.wang, number, people.tick())
    rejected("bad_schedule", early)
    assert activations.release_proposal(people.database, people.wang, number, due).state == "partial"


def test_a_scheduled_release_takes_effect_once_with_two_workers(people: TwoPeople) -> None:
    number, at = scheduled(people)
    workers = [FollowingWorker(people.database) for _ in range(2)]
    contexts = [worker.context for worker in workers]
    problems: list[Exception] = []

    def advance(context: AppContext) -> None:
        try:
            advance_releases(context, at)
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=advance, args=(context,)) for context in contexts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    kinds_ = [active.kind for active in people.state.activations]
    assert kinds_ == ["folder", "activation"]
    assert people.state.activations[-1].proposal == number
    assert [step.kind for step in people.state.proposals[number].steps].count("activation") == 1
    assert {worker.follower.catch_up().release.id for worker in workers} == {release("thirteen").id}


def test_two_workers_begin_the_first_stage_of_a_scheduled_plan_and_go_no_further(people: TwoPeople) -> None:
    number, at = scheduled(people, {"stages": [{"share": "5%", "hours": 1}, {"share": "100%"}]})
    contexts = [FollowingWorker(people.database).context for _ in range(2)]
    for context in contexts:  # the second one does not know yet that the first one was there
        advance_releases(context, at)
    proposal = people.state.proposals[number]
    assert (proposal.state, proposal.share, proposal.stage) == ("partial", 500, 0)
    assert people.state.activations[-1].release == release("twelve").id


def test_a_schedule_that_cannot_be_kept_does_not_keep_another_one_from_its_time(people: TwoPeople) -> None:
    first, at = scheduled(people)
    people.release(TEXTS["fourteen"])  # the first one's base has moved
    second = people.approved(TEXTS["noted"]).number
    activations.schedule(people.database, people.wang, second, micros(at), people.tick())
    advance_releases(FollowingWorker(people.database).context, at)
    assert people.state.proposals[first].state == "scheduled"
    assert people.state.proposals[second].state == "in force"


# Keys.


def test_a_revoked_key_approves_nothing(people: TwoPeople) -> None:
    number = in_review(people).number
    keys.revoke(people.database, fingerprint(people.li), "lost", people.tick())
    rejected("key_revoked", lambda: proposals.approve(people.database, people.li, number, people.tick()))


@pytest.mark.parametrize("party", ["wang", "li"])
def test_a_key_revoked_between_approval_and_release_voids_the_approval(people: TwoPeople, party: str) -> None:
    zhao = newcomer(people, "zhao")
    number = people.approved(TEXTS["thirteen"]).number
    keys.revoke(people.database, fingerprint(getattr(people, party)), "stolen", people.tick())
    assert people.state.proposals[number].state == "measured"
    act = partial(activations.release_proposal, people.database, zhao, number, people.tick())
    rejected("wrong_proposal_state", act)
    proposals.submit(people.database, zhao, number, people.tick())
    other = people.wang if party == "li" else people.li
    if party == "wang":
        assert proposals.approve(people.database, other, number, people.tick()).state == "approved"
    else:  # Wang took part
        rejected("own_proposal", lambda: proposals.approve(people.database, other, number, people.tick()))


def test_a_key_revoked_before_the_time_of_a_schedule_stops_it(people: TwoPeople) -> None:
    number, at = scheduled(people)
    worker = FollowingWorker(people.database)
    keys.revoke(people.database, fingerprint(people.li), "stolen", people.tick())
    advance_releases(worker.follower.catch_up(), at)
    assert (people.state.proposals[number].state, people.state.proposals[number].due_at) == ("measured", None)
    assert people.state.activations[-1].kind == "folder"


def test_a_key_revoked_during_a_trial_lets_it_go_no_further(people: TwoPeople) -> None:
    plan = {"stages": [{"share": "5%", "hours": 1}, {"share": "100%"}]}
    number = people.approved(TEXTS["thirteen"], plan).number
    activations.release_proposal(people.database, people.wang, number, people.tick())
    keys.revoke(people.database, fingerprint(people.li), "stolen", people.tick())
    act = partial(activations.activate, people.database, people.wang, number, people.tick())
    assert "revoked" in rejected("key_revoked", act)


@pytest.mark.parametrize(
    "party", ["iftah", "Iftah", "operator", "OPERATOR ", "ｉftah", "", " ", "li\u200b", "l\u0069\u0301"]
)
def test_no_key_has_the_name_of_the_system_or_of_nobody(people: TwoPeople, party: str) -> None:
    public = public_key_of(Ed25519PrivateKey.generate())
    rejected("bad_party", lambda: keys.register(people.database, party, "operator", public, people.tick()))


def test_revoking_the_second_key_does_not_give_the_folder_its_power_back(people: TwoPeople) -> None:
    keys.revoke(people.database, fingerprint(people.li), "left", people.tick())
    record = partial(releases.record_release, people.database, release("fourteen"), people.tick())
    assert "a place for drafts" in rejected("needs_approval", record)


# Two proposals on one base.


def test_the_second_of_two_proposals_is_measured_again_and_told_what_moved_under_it(people: TwoPeople) -> None:
    base_41 = {**TEXTS["twelve"], "trust.yaml": TEXTS["twelve"]["trust.yaml"].replace("base: 40", "base: 41")}
    second = people.approved(base_41).number
    first = people.release(TEXTS["thirteen"])
    assert first.state == "in force"
    act = partial(activations.release_proposal, people.database, people.wang, second, people.tick())
    assert f"since proposal {second} was measured" in rejected("base_moved", act)
    measured = measurement.measure_proposal(people.database, people.wang, second, people.tick())
    assert (measured.state, measured.approval) == ("measured", None)
    effect = measurement.effect_of(people.database, measured)
    assert effect
    assert effect["old"] == release("thirteen").id
    lost = effect["lost_changes"]
    meanwhile = [line for line in lost if line.startswith("came into force meanwhile: ")]
    undone = [line for line in lost if line.startswith("would be undone: ")]
    assert [("12" in line, "13" in line) for line in meanwhile] == [(True, True)]
    assert [("12" in line, "13" in line) for line in undone] == [(True, True)]
    proposals.submit(people.database, people.wang, second, people.tick())
    proposals.approve(people.database, people.li, second, people.tick())
    activations.release_proposal(people.database, people.wang, second, people.tick())
    assert people.state.proposals[first.number].state == "replaced"


def test_a_proposal_that_was_in_review_when_its_base_moved_is_not_approved(people: TwoPeople) -> None:
    second = in_review(people, "fourteen").number
    people.release(TEXTS["thirteen"])
    approve = partial(proposals.approve, people.database, people.li, second, people.tick())
    assert f"iftah measure {second}" in rejected("base_moved", approve)


# Break-glass.


def test_a_break_glass_ends_by_itself_within_a_day_and_nobody_goes_back_to_it(people: TwoPeople) -> None:
    hour = HOUR * 1_000_000
    for hours in (0, -1, 25):
        begin = partial(
            activations.break_glass, people.database, people.wang, rules_of("thirteen"), hours, "urgent", people.tick()
        )
        rejected("bad_schedule", begin)
    active = activations.break_glass(people.database, people.wang, rules_of("thirteen"), 24, "urgent", people.tick())
    assert people.state.ends_at == active.at + 24 * hour
    worker = FollowingWorker(people.database)
    assert worker.context.release.id == release("thirteen").id
    second = partial(
        activations.break_glass, people.database, people.wang, rules_of("fourteen"), 24, "more", people.tick()
    )
    rejected("break_glass", second)
    advance_releases(worker.context, moment(active.at + 24 * hour - 1))
    assert worker.follower.catch_up().release.id == release("thirteen").id
    advance_releases(worker.context, moment(active.at + 24 * hour))
    assert worker.follower.catch_up().release.id == release("twelve").id
    people.now = active.at + 25 * hour
    back = partial(activations.roll_back, people.database, people.wang, "again", people.tick())
    rejected("never_in_force", back)


def test_a_release_in_shadow_is_not_in_force_where_none_is(database: Engine) -> None:
    people = TwoPeople(database, START)
    number = people.approved(TEXTS["thirteen"]).number
    activations.begin_shadow(database, people.wang, number, people.tick())
    start = partial(context_of, database, people.state, EvaluatorsCache(), moment(START))
    rejected("no_release", start)


def test_a_break_glass_needs_a_release_to_go_back_to(database: Engine) -> None:
    people = TwoPeople(database, START)
    begin = partial(activations.break_glass, database, people.wang, rules_of("thirteen"), 1, "urgent", people.tick())
    assert "nothing to go back to" in rejected("no_release", begin)
