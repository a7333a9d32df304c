"""Compare the expectations of a case with the actual results."""

from collections.abc import Iterator

from engine.decide.scorecard import ScoreResult
from engine.decide.unmet_conditions import STATUS_TEXT
from engine.lang.model.conditions import Statuses
from engine.lang.syntax.ast import CaseLine
from engine.lang.syntax.expression_tree import Word


def score_differences(case: CaseLine, score_result: ScoreResult) -> Iterator[str]:
    """Yield the differences in the score, its band and its reasons."""
    expect = case.expect
    yield from difference("score", expect.score.whole if expect.score else None, score_result.score)
    yield from difference("band", text(expect.band), score_result.band)
    yield from difference("outcome", text(expect.outcome), "UNSCORABLE" if score_result.score is None else "scored")
    yield from difference("reasons", texts(expect.reasons), score_result.reasons)


def status_differences(case: CaseLine, statuses: Statuses) -> Iterator[str]:
    """Yield the rules that should be met, not met or unknown, and are not."""
    expectations = ((case.expect.met, True), (case.expect.not_met, False), (case.expect.unknown, None))
    for words, status in expectations:
        for word in words:
            if word.text not in statuses:
                yield f"there is no rule `{word.text}` here"
            elif statuses[word.text] is not status:
                yield f"`{word.text}` should be {STATUS_TEXT[status]}, and is {STATUS_TEXT[statuses[word.text]]}"


def expected_rules(case: CaseLine) -> list[str]:
    """The rules with an expected status in the case."""
    return [w.text for w in (*case.expect.met, *case.expect.not_met, *case.expect.unknown)]


def difference(label: str, expected: object, actual: object) -> Iterator[str]:
    """Yield the difference in one line, if the case expects a value and the actual one differs."""
    if expected is not None and expected != actual:
        yield f"{label} should be {_format(expected)}, and is {_format(actual)}"


def _format(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value not in (None, "") else "none"


def text(word: Word | None) -> str | None:
    """The text of an optional word."""
    return word.text if word else None


def texts(words: tuple[Word, ...] | None) -> tuple[str, ...] | None:
    """The texts of optional words."""
    return None if words is None else tuple(w.text for w in words)
