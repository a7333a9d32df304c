"""Releases over HTTP: the one in force, the way back by one person, and the break-glass, which every surface shows."""

import logging
from typing import Any, Final

import pytest
from sqlalchemy import Engine

from api.http import metrics
from api.jobs.break_glass_alarm import REPEAT_SECONDS, BreakGlassAlarm
from api.jobs.release_follower import ReleaseFollower
from api.releases.release_log import read_state
from api.runtime.context import AppContext
from api.store import clock
from tests.api.http.proposal_client import ProposalClient, rental_context, rental_files
from tests.api.merchant_client import assert_problem

STRICT: Final = rental_files(80)
SQLITE_ONLY = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def client(database: Engine) -> ProposalClient:
    return ProposalClient(rental_context(database))


def releases_of(client: ProposalClient) -> Any:
    return client.li.get("releases")


def test_an_approver_alone_goes_back_to_an_earlier_release_and_says_why(client: ProposalClient) -> None:
    original = releases_of(client)["in_force"]
    assert (original["kind"], original["proposal"]) == ("folder", None)
    number = client.release(STRICT)
    strict = releases_of(client)["in_force"]
    assert (strict["kind"], strict["proposal"], strict["actor"]) == ("activation", number, "wang")
    assert_problem(client.li.post("releases/rollback", {"reason": " "}), 422, "no_reason")
    assert_problem(client.li.post("releases/rollback", {"reason": "x", "to": "0" * 64}), 409, "never_in_force")
    answer = client.li.take("releases/rollback", {"reason": "complaints"})
    assert (answer["release"], answer["kind"], answer["actor"]) == (original["release"], "rollback", "li")
    assert client.state(number) == "rolled back"
    forth = client.wang.take("releases/rollback", {"reason": "it was right", "to": strict["release"][:12]})
    assert (forth["release"], forth["proposal"]) == (strict["release"], number)


@SQLITE_ONLY
def test_the_pages_of_activations_are_the_whole_list(client: ProposalClient) -> None:
    client.release(STRICT)
    for _ in range(3):
        client.wang.take("releases/rollback", {"reason": "to and fro"})
    items, after = [], ""
    while after is not None:
        page = client.li.send("GET", "releases", limit="2", **({"after": after} if after else {})).json()["activations"]
        items, after = items + page["items"], page["next"]
    assert items == releases_of(client)["activations"]["items"]
    assert [item["kind"] for item in items] == ["rollback"] * 3 + ["activation", "folder"]


def test_a_break_glass_is_shown_everywhere_and_can_be_ended(
    client: ProposalClient, caplog: pytest.LogCaptureFixture
) -> None:
    before = releases_of(client)["in_force"]["release"]
    body = {"files": STRICT, "hours": 2, "reason": "the tiers are wrong"}
    assert_problem(client.wang.post("releases/break-glass", body | {"hours": 25}), 422, "bad_request")
    assert_problem(client.wang.post("releases/break-glass", body | {"reason": " "}), 422, "no_reason")
    answer = client.wang.take("releases/break-glass", body)
    assert (answer["kind"], answer["actor"]) == ("break_glass", "wang")
    assert_problem(client.wang.post("releases/break-glass", body | {"files": rental_files(81)}), 409, "break_glass")
    until = releases_of(client)["status"]["break_glass_until"]
    assert until is not None
    assert "iftah_break_glass 1.0" in metrics_text(client)
    assert (
        alarm_lines(client, caplog)
        == [f"BREAK-GLASS: one person put release {answer['release'][:12]} into force alone, until {until}"] * 2
    )
    status = client.wang.send("DELETE", "releases/break-glass").json()
    assert status["break_glass_until"] is None
    assert releases_of(client)["in_force"]["release"] == before
    assert_problem(client.wang.send("DELETE", "releases/break-glass"), 409, "wrong_proposal_state")
    assert "iftah_break_glass 0.0" in metrics_text(client)


def alarm_lines(client: ProposalClient, caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of an alarm that looks at once, a second later, and after a minute."""
    alarm, state = BreakGlassAlarm(), read_state(client.context.database)
    caplog.clear()
    for seconds in (0.0, 1.0, REPEAT_SECONDS):
        alarm.look(state, seconds)
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def metrics_text(client: ProposalClient) -> str:
    return metrics.text(followed_context(client), None, clock.now()).decode()


def followed_context(client: ProposalClient) -> AppContext:
    """The context of a server that follows the log."""
    contexts = [client.context]
    ReleaseFollower(lambda: contexts[-1], contexts.append).begin()
    return contexts[-1]


@SQLITE_ONLY
def test_broken_rules_do_not_come_into_force_by_a_break_glass(client: ProposalClient) -> None:
    broken = {**STRICT, "perks.yaml": STRICT["perks.yaml"].replace("score >= 80,", "scor >= 80,")}
    response = client.wang.post("releases/break-glass", {"files": broken, "reason": "in haste"})
    assert "scor" in assert_problem(response, 422, "rules_refused")["detail"]
    assert releases_of(client)["status"]["break_glass_until"] is None


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_health_and_metrics_show_by_whom_the_release_came_into_force(
    town: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = ProposalClient(town)
    status = client.http.get("/v1/health").json()["releases"]
    assert status == {"mode": "approved", "proposal": None, "break_glass_until": None, "trial": None}
    text = metrics_text(client)
    assert "iftah_release_proposal 0.0" in text
    assert "iftah_trial_share 0.0" in text
    monkeypatch.setenv("IFTAH_RELEASES", "approved")
    assert client.http.get("/v1/health").json()["releases"]["mode"] == "approved"


@SQLITE_ONLY
def test_metrics_show_the_proposal_in_force_and_the_share_on_trial(client: ProposalClient) -> None:
    first = client.release(STRICT)
    plan = {"stages": [{"share": "2.5%", "hours": 1}, {"share": "100%"}]}
    second = client.approved(rental_files(85), plan=plan)
    client.wang.take(f"proposals/{second}/release")
    text = metrics_text(client)
    assert f"iftah_release_proposal {first}.0" in text
    assert f"iftah_trial_proposal {second}.0" in text
    assert "iftah_trial_share 0.025" in text


@SQLITE_ONLY
def test_one_operator_releases_by_the_folder(database: Engine) -> None:
    """As soon as a second party has a key, two people release."""
    client = ProposalClient(rental_context(database), with_keys=False)
    modes = [releases_of(client)["status"]["mode"]]
    for party in (client.wang, client.li):
        party.register()
        modes.append(releases_of(client)["status"]["mode"])
    assert modes == ["folder", "folder", "approved"]
