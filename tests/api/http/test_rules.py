"""Writing rules over HTTP: problems, cases, names that fit, rules tried on a person, and whom a change moves."""

from dataclasses import replace
from typing import Any, Final

import pytest
from sqlalchemy import select

from api.proposals.proposals import MAX_FILES_CHARS
from api.runtime.context import AppContext
from api.store.database import reading
from api.store.tables import SCORES
from tests.api.http.proposal_client import ProposalClient
from tests.api.merchant_client import assert_problem
from tests.api.proposals.two_people import changed_files
from tests.api.shipped_probe import shipped_files
from tests.api.town import shipped_release

SQLITE_ONLY = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # no statement of SQL is behind it
PERKS: Final = shipped_files()["perks.yaml"]
TYPO: Final = {"perks.yaml": PERKS.replace("when: score >= 700, waive", "when: scor >= 700, waive", 1)}
RED: Final = {"perks.yaml": PERKS.replace("when: score >= 700, waive", "when: score >= 701, waive", 1)}
VALUES: Final = {
    "identity.level": "2",
    "identity.tenure_days": "400",
    "credit.kept": "12",
    "credit.orders_kept": "2",
    "credit.missed": "0",
}


@pytest.fixture
def client(town: AppContext) -> ProposalClient:
    """Over the shipped rules with their cases."""
    return ProposalClient(replace(town, files=shipped_files()), with_keys=False)


def place_of(text: str, words: str) -> dict[str, int]:
    """The place after the first occurrence of these words."""
    before = text[: text.index(words) + len(words)]
    return {"line": before.count("\n") + 1, "column": len(before) - before.rfind("\n")}


@SQLITE_ONLY
def test_the_rules_in_force_are_readable_with_their_cases(client: ProposalClient) -> None:
    rules = client.li.get("rules")
    assert rules == {"release": shipped_release().id, "files": dict(shipped_files())}


@SQLITE_ONLY
def test_a_check_lists_each_problem_with_its_place_and_a_hint(client: ProposalClient) -> None:
    result = client.wang.take("rules/check", {"release": True, "files": TYPO})
    (problem,) = result["problems"]
    row = TYPO["perks.yaml"].split("\n")[problem["at"]["line"] - 1]
    column, length = problem["at"]["column"], problem["at"]["length"]
    assert (problem["at"]["file"], row[column - 1 : column - 1 + length]) == ("perks.yaml", "scor")
    assert (problem["code"], problem["severity"], problem["hint"]) == ("R101", "error", "did you mean `score`?")
    assert (result["release"], result["cases"]) == (None, None)


@SQLITE_ONLY
def test_a_check_runs_the_cases_and_says_which_are_red(client: ProposalClient) -> None:
    result = client.wang.take("rules/check", {"files": dict(shipped_files()), "cases": None})
    assert (result["release"], result["problems"]) == (shipped_release().id, [])
    assert {file["file"]: file["red"] for file in result["cases"]} == {
        name: 0 for name in shipped_files() if name.endswith(".cases.yaml")
    }
    result = client.wang.take("rules/check", {"release": True, "files": RED, "cases": ["perks.cases.yaml"]})
    (cases,) = result["cases"]
    red = [case for case in cases["cases"] if case["failures"]]
    assert (cases["red"], cases["green"]) == (len(red), len(cases["cases"]) - len(red))
    assert red[0]["failures"][0].startswith("outcome")
    assert any("score >= 701" in line for line in red[0]["explanation"])
    row = shipped_files()["perks.cases.yaml"].split("\n")[red[0]["at"]["line"] - 1]
    assert red[0]["name"] in row


@SQLITE_ONLY
def test_files_come_alone_or_over_a_draft_or_over_the_release(client: ProposalClient) -> None:
    draft = client.wang.take("rules/drafts", {"name": "typo", "files": dict(shipped_files()) | TYPO})["id"]
    assert client.wang.take("rules/check", {"draft": draft})["problems"] != []
    assert client.wang.take("rules/check", {"draft": draft, "files": {"perks.yaml": PERKS}, "cases": []})["cases"] == []
    assert_problem(client.wang.post("rules/check", {"draft": draft, "release": True}), 422, "bad_request")
    assert_problem(client.wang.post("rules/check", {"draft": 99}), 404, "unknown_draft")
    assert_problem(client.wang.post("rules/check", {"files": {}}), 422, "no_rules")
    too_long = {"files": {"perks.yaml": "#" * (MAX_FILES_CHARS + 1)}}
    assert_problem(client.wang.post("rules/check", too_long), 422, "no_rules")


def test_completion_names_features_with_their_meaning_and_distribution(client: ProposalClient) -> None:
    text = shipped_files()["trust.yaml"].replace(
        "when: identity.level >= 1 and", "when: identity.level >= 1 and cre", 1
    )
    place = place_of(text, "identity.level >= 1 and cre")
    body = {"release": True, "files": {"trust.yaml": text}, "file": "trust.yaml", "language": "zh", **place}
    result = client.wang.take("rules/completion", body)
    assert (result["line"], result["column"]) == (place["line"], place["column"] - len("cre"))
    characteristic = next(o for o in result["options"] if o["label"] == "credit.kept")
    assert (characteristic["kind"], characteristic["detail"], characteristic["lines"]) == (
        "name",
        "int promises",
        ["按约偿还的次数。"],
    )
    distribution = characteristic["distribution"]
    assert (distribution["people"], len(distribution["quantiles"])) == (120, 5)
    assert [int(text) for text in distribution["quantiles"]] == sorted(int(text) for text in distribution["quantiles"])
    level = next(o for o in result["options"] if o["label"] == "identity.level")["distribution"]
    assert set(level["quantiles"]) <= {"0", "1", "2", "3"}


@SQLITE_ONLY
def test_an_explanation_says_what_the_word_means(client: ProposalClient) -> None:
    text = shipped_files()["trust.yaml"]
    body = {"release": True, "file": "trust.yaml", **place_of(text, "feature: credit.ke")}
    result = client.li.take("rules/explanation", body)
    assert (result["word"], result["length"], result["lines"][0]) == ("credit.kept", 11, "credit.kept: int promises")
    assert result["distribution"]["people"] == 120
    meaning = client.li.take("rules/explanation", {"release": True, "file": "no.yaml", "line": 1, "column": 1})
    assert (meaning["lines"], meaning["distribution"]) == ([], None)


@SQLITE_ONLY
def test_a_made_up_person_is_assessed_line_by_line(client: ProposalClient) -> None:
    body = {"release": True, "values": VALUES, "amounts": {"hotel": 50_000}, "language": "zh"}
    result = client.wang.take("rules/assessment", body)
    assert (result["score"], result["band"], result["base"]) == (607, "good", 480)  # as in README.md
    assert result["reasons"][0] == {"code": "few_active_months", "text": result["reasons"][0]["text"]}
    assert not result["reasons"][0]["text"].isascii()
    hotel = next(perk for perk in result["perks"] if perk["perk"] == "hotel")
    assert (hotel["outcome"], hotel["waived"], hotel["tier"]) == ("ADMIT", 50_000, "hotel.600")
    characteristic = next(line for line in result["lines"] if line["id"] == "kept")
    assert (
        characteristic["sort"],
        characteristic["met"],
        characteristic["value"],
        characteristic["points"],
        characteristic["at"]["line"],
    ) == ("bin", True, "12", 52, 31)
    assert {v["name"]: v["value"] for v in result["values"]}["identity.tenure_days"] == "400d"


def test_a_real_person_is_assessed_by_the_values_that_we_may_use(client: ProposalClient, town: AppContext) -> None:
    with reading(town.database) as connection:
        query = select(SCORES.c.person, SCORES.c.score).where(SCORES.c.score.is_not(None)).order_by(SCORES.c.person)
        person, score = connection.execute(query).first() or ("", 0)
    body = {"release": True, "person": person, "purpose": "what the draft does to a typical person"}
    result = client.wang.take("rules/assessment", body)
    assert (result["score"], result["missing"]) == (score, [])
    values = {value["name"]: value["value"] for value in result["values"] if value["value"]}
    repeat = client.wang.take("rules/assessment", {"release": True, "values": values})
    assert repeat["score"] == score or repeat["as_of"] != result["as_of"]
    unknown = client.wang.post("rules/assessment", body | {"person": "nobody-knows"})
    assert_problem(unknown, 404, "unknown_person")


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"values": {"credit.keptt": "1"}}, "bad_value"),
        ({"values": {"credit.kept": "many"}}, "bad_value"),
        ({"amounts": {"hotel": 10**12}}, "bad_amount"),
        ({"person": "client-1"}, "no_purpose"),
        ({"person": "client-1", "purpose": "  "}, "no_purpose"),
        ({"files": TYPO}, "rules_refused"),
    ],
)
def test_an_assessment_without_sense_is_refused(client: ProposalClient, body: dict[str, Any], code: str) -> None:
    assert_problem(client.wang.post("rules/assessment", {"release": True, **body}), 422, code)


def test_a_measurement_says_whom_the_files_move(client: ProposalClient) -> None:
    files = changed_files(perks="score >= 550, waive: {up_to: 99 -> score >= 700, waive: {up_to: 99")
    result = client.wang.take("rules/measurement", {"files": files})
    perks = {perk["name"]: perk for perk in result["swap"]["perks"]}
    assert (result["needs_build"], {perk["total"] for perk in perks.values()}) == ([], {120})
    assert perks["power_bank"]["moves"]["less"] == perks["power_bank"]["moved"] > 0
    assert perks["hotel"]["moved"] == 0
    unchanged = client.wang.take("rules/measurement", {"release": True})
    assert (unchanged["swap"]["differences"], sum(perk["moved"] for perk in unchanged["swap"]["perks"])) == ([], 0)
    assert_problem(client.wang.post("rules/measurement", {"release": True, "files": TYPO}), 422, "rules_refused")
