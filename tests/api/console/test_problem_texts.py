"""Problems in Chinese: those of rule files, of cases beside them, of evidence, and of the API."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from api.console.api_problems import MEANINGS, in_language
from api.console.person_words import window_text
from api.console.problem_texts import change_text, explanation_text, problem_line, problem_text
from api.http.problems import STATUS
from tests.paths import ENGINE_CASES
from tests.problem_templates import problem_templates
from tests.test_problems import entries, problems_of
from tests.translations import translated

LINE = re.compile(r"\S+:\d+:\d+ (?:error|warning) \S+ (.+)", re.DOTALL)
# Words of rule files, of standards and of programs stay as they are in every language.
OWN_WORDS = re.compile(
    r"`[^`]*`|[\[\]a-z_.]+, [\[\]a-z_., ]+|[a-z_.]+ -> [a-z_.> -]+|\b(?:YAML|ISO|IANA|UTF|U|[A-Z]{3}|\w+\.yaml)\b"
)


def stored_lines(document: Any) -> Iterator[str]:
    """The lines of problems in a file of golden pairs."""
    if isinstance(document, dict):
        problems = document.get("problems")
        yield from problems if isinstance(problems, list) else str(problems or "").splitlines()
        for value in document.values():
            yield from stored_lines(value)
    elif isinstance(document, list):
        for value in document:
            yield from stored_lines(value)


@cache
def checker_lines() -> tuple[str, ...]:
    """Each problem of the stored broken files and of each code's example."""
    yaml = YAML(typ="safe", pure=True)
    files = [
        yaml.load((ENGINE_CASES / f"{name}.yaml").read_text(encoding="utf-8")) for name in ("broken", "language_3")
    ]
    examples = [str(problem) for entry in entries().values() for problem in problems_of(entry["lines"])]
    return (*(line for file in files for line in stored_lines(file) if LINE.fullmatch(line)), *examples)


def test_no_english_phrase_is_left_in_the_problems_of_the_checker_and_the_solver() -> None:
    texts = {line: problem_line(line, "zh").split(" ", 2)[2] for line in checker_lines()}
    assert len(texts) > 300
    left = [
        text for text in texts.values() if re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}|[A-Za-z]{5,}", OWN_WORDS.sub("", text))
    ]
    assert left == []
    assert [line for line, text in texts.items() if not re.search(r"[\u4e00-\u9fff]", text)] == []


def test_the_problems_of_a_reader_of_english_are_those_of_the_checker() -> None:
    assert [line for line in checker_lines() if problem_line(line, "en") != line] == []


def test_values_of_a_problem_stay_and_words_among_them_are_translated() -> None:
    assert problem_text("`0.5` is not a whole number", "zh") == "`0.5` 不是整数"
    assert problem_text("unknown reason `lat`", "zh") == "未知理由 `lat`"
    assert problem_text("a text of ours without a template", "zh") == "a text of ours without a template"
    line = "a.yaml:3:1 error R014 there is no file of the kind `perks` in force (let one file of the kind hold at any time)"
    assert (
        problem_line(line, "zh")
        == "a.yaml:3:1 R014 没有生效的 `perks` 种类文件（请让该种类在任何时候都有一个文件生效）"
    )


def test_a_failed_case_keeps_its_name() -> None:
    line = "trust.cases.yaml:4:5 error case late payer: score should be 500, and is 480"
    assert problem_line(line, "zh") == "trust.cases.yaml:4:5 late payer: score 应为 500，实际为 480"
    assert explanation_text("`steady` is not met: money.months >= 6 not met (2, 4 to turn); paused unknown", "zh") == (
        "`steady` 不满足：money.months >= 6 不满足 (2，还差 4); paused 未知"
    )


def test_what_a_change_does_is_in_the_readers_language() -> None:
    lines = ["perks.cases.yaml: file removed", "perks.yaml perks hotel: {id: x} added", "tier hotel.600", "a -> b"]
    assert [change_text(line, "zh") for line in lines] == [
        *("perks.cases.yaml：文件已删除", "perks.yaml perks hotel: {id: x} 已添加", "档位 hotel.600", "a -> b")
    ]
    assert [change_text(line, "en") for line in lines] == lines


@given(st.text(max_size=60))
def test_the_readers_own_text_stays_as_it_is(text: str) -> None:
    own = text.replace("`", "'")
    assert problem_text(f"unknown name `{own}`", "zh") == f"未知名称 `{own}`"


def test_a_translation_has_the_values_of_its_text() -> None:
    templates, names = problem_templates(), re.compile(r"\{\d\}")
    wrong = [
        (text, translation)
        for file, text, translation in translated()
        if file == "problems.po" and not set(names.findall(translation)) <= set(names.findall(text))
    ]
    assert wrong == []
    assert len(templates) > 500


def test_each_code_of_the_api_has_a_meaning() -> None:
    assert set(STATUS) - set(MEANINGS) == set()


@pytest.mark.parametrize(
    ("document", "detail", "hint"),
    [
        ({"code": "bad_request", "detail": "`subject` should be text", "hint": ""}, "`subject` 应为文字", ""),
        ({"code": "unknown_order", "detail": "unknown order", "hint": "check the number"}, "没有这个订单。", ""),
        ({"code": "custom_of_an_operator", "detail": "no", "hint": "wait"}, "no", ""),
    ],
)
def test_a_problem_of_the_api_is_in_the_readers_language(document: dict[str, str], detail: str, hint: str) -> None:
    translated = in_language(document, "zh")
    assert (translated["detail"], translated["hint"]) == (detail, hint)
    assert in_language(document, "en") == document


def test_the_period_of_a_number_is_in_the_readers_language() -> None:
    periods = ("the last 12 full calendar months", "24 months", "90 days", "all", "since the flood")
    assert [window_text(period, "zh") for period in periods] == [
        *("最近 12 个整月", "最近 24 个月", "最近 90 天", "全部时间"),
        "since the flood",
    ]
    assert window_text("24 months", "en") == "the last 24 months"
