"""How long a decision takes, and how fast everyone is scored: `python -m tests.bench.decide [people everyone]`.

The people are those of a town with a fixed seed, the rules are the shipped ones, and each is asked about every perk.
Beside the engines runs a function that is called with the same question and does nothing. Everyone is scored at once,
by the columnar engine on Polars, for a frame of those same people drawn again and again. Each engine has a process of
its own, so that its peak memory is its own; compiling the rules and a first round are not timed.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import narwhals as nw
import polars as pl
from rich.console import Console
from rich.table import Table

from api import releases
from engine.decide import Question, Reference, decide
from engine.lang.columnar import score
from engine.lang.online import Online
from engine.lang.program import Release
from graph.features import features
from graph.sources.town import END, town

PEOPLE: Final = 300
EVERYONE: Final = 200_000
RULES: Final = Path(__file__).parents[2] / "rules"
_ROUNDS: Final = 3
_MAC: Final = sys.platform == "darwin"
Ask = Callable[[Question], object]


@dataclass(frozen=True)
class Figure:
    """One measurement: answers a second, microseconds of the median and the 99th percentile answer, peak memory in bytes."""

    name: str
    rate: float
    p50: float
    p99: float
    peak: int


def people_of_a_town(release: Release, people: int) -> pl.DataFrame:
    """The features that the rules read, of about so many people."""
    events = pl.concat(list(town(people, seed=1).events()))
    return features(events.with_columns(recorded_at=pl.col("happened_at")), END, END, "perks").select(release.features)


def questions(release: Release, people: pl.DataFrame) -> list[Question]:
    """Each person about each perk, for half of what it covers at most."""
    at = END.isoformat()
    return [
        Question(f"p-{number}", perk.id, (perk.most + 1) // 2, perk.currency, at, at, "perks", values)
        for number, values in enumerate(people.iter_rows(named=True))
        for perk in release.perks
    ]


def _timed(ask: Ask, asked: list[Question]) -> list[int]:
    """Nanoseconds of each call, in rounds over all questions; the first round warms up."""
    spent: list[int] = []
    for _ in range(1 + _ROUNDS):
        spent = spent if len(spent) > len(asked) else []
        for question in asked:
            begin = time.perf_counter_ns()
            ask(question)
            spent.append(time.perf_counter_ns() - begin)
    return spent


def _nothing(_question: Question) -> None:
    return None


def _engines(release: Release) -> dict[str, Ask]:
    online, reference = Online(release), Reference(release)
    return {
        "decide, reference": lambda question: decide(reference, question),
        "decide, online": lambda question: decide(online, question),
    }


def _everyone(release: Release, people: pl.DataFrame, everyone: int) -> float:
    """Seconds to score so many people at once: the best of three."""
    frame = nw.from_native(people.sample(everyone, with_replacement=True, seed=1))
    spent = []
    for _ in range(3):
        begin = time.perf_counter()
        assert score(release, frame)["score"].len() == everyone
        spent.append(time.perf_counter() - begin)
    return min(spent)


NAMES: Final = ("decide, reference", "decide, online", "score, columnar on Polars")


def _measure(name: str, people: int, everyone: int) -> Figure:
    release = releases.load(RULES)
    crowd = people_of_a_town(release, people)
    if name == NAMES[-1]:
        one = _everyone(release, crowd, everyone) / everyone * 1e6
        return Figure(name, 1e6 / one, one, float("nan"), _peak())
    return _figure(name, _timed(_engines(release)[name], questions(release, crowd)))


def _figure(name: str, nanoseconds: list[int]) -> Figure:
    spent = pl.Series(nanoseconds) / 1000
    p50, p99 = (spent.quantile(q, "lower") or 0.0 for q in (0.5, 0.99))
    return Figure(name, 1e6 / float(spent.mean() or 0), p50, p99, _peak())  # type: ignore[arg-type]


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if _MAC else 1024)


def _apart(name: str, people: int, everyone: int) -> Figure:
    command = [sys.executable, "-m", "tests.bench.decide", "--one", name, str(people), str(everyone)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Figure(**json.loads(done.stdout))


def run(people: int = PEOPLE, everyone: int = EVERYONE) -> list[Figure]:
    """The empty call; then the engines and the whole population, one after the other, each in a process of its own."""
    question = Question("p-1", "hotel", 1, "CNY", "", "", "perks", {})
    empty = _figure("an empty function call", _timed(_nothing, [question] * people * 10))
    return [empty, *(_apart(name, people, everyone) for name in NAMES)]


def main(people: int = PEOPLE, everyone: int = EVERYONE) -> None:
    """Print the figures as a table."""
    found = run(people, everyone)
    empty, reference = found[0], found[1]
    title = f"the shipped rules, {people:,} people; columnar: {everyone:,} people at once"
    table = Table("what", "a second", "p50 µs", "p99 µs", "empty calls", "of reference", "peak MB", title=title)
    for f in found:
        p99 = "" if f.p99 != f.p99 else f"{f.p99:,.1f}"
        ratios = f"{empty.rate / f.rate:,.0f}", f"{f.rate / reference.rate:,.2f}"
        table.add_row(f.name, f"{f.rate:,.0f}", f"{f.p50:,.2f}", p99, *ratios, f"{f.peak / 1e6:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(asdict(_measure(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))))
    else:
        main(*(int(a) for a in sys.argv[1:3]))
