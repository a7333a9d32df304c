"""Expected: what a case says must follow, held against what came."""

from collections.abc import Iterator

from engine.lang.lines import CaseLine
from engine.lang.syntax import Word
from engine.lang.truths import Statuses
from engine.scorecard import Scored
from engine.why import SHOWN


def of_score(case: CaseLine, found: Scored) -> Iterator[str]:
    """Where the score, its band and its reasons differ."""
    expect = case.expect
    yield from differs("score", expect.score.whole if expect.score else None, found.score)
    yield from differs("band", text(expect.band), found.band)
    yield from differs("outcome", text(expect.outcome), "UNSCORABLE" if found.score is None else "scored")
    yield from differs("reasons", texts(expect.reasons), found.reasons)


def of_statuses(case: CaseLine, statuses: Statuses) -> Iterator[str]:
    """Where rules differ that are expected to be met, not met or unknown."""
    wanted = ((case.expect.met, True), (case.expect.not_met, False), (case.expect.unknown, None))
    for words, status in wanted:
        for word in words:
            if word.text not in statuses:
                yield f"there is no rule `{word.text}` here"
            elif statuses[word.text] is not status:
                yield f"`{word.text}` should be {SHOWN[status]}, and is {SHOWN[statuses[word.text]]}"


def named(case: CaseLine) -> list[str]:
    """The rules whose status a case expects."""
    return [w.text for w in (*case.expect.met, *case.expect.not_met, *case.expect.unknown)]


def differs(what: str, expected: object, came: object) -> Iterator[str]:
    """The difference, if anything is expected, in a line."""
    if expected is not None and expected != came:
        yield f"{what} should be {_shown(expected)}, and is {_shown(came)}"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value not in (None, "") else "none"


def text(word: Word | None) -> str | None:
    """The text of a word that may not be there."""
    return word.text if word else None


def texts(words: tuple[Word, ...] | None) -> tuple[str, ...] | None:
    """The texts of words that may not be there."""
    return None if words is None else tuple(w.text for w in words)
