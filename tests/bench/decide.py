"""How long a decision takes, and how fast everyone is scored: `python -m tests.bench.decide [people everyone]`.

First the same sixty rules, for the points that they add up to: as Python closures, as a decision table of zen-engine
(hit policy "collect"), by the reference and by durable-rules. That all of them find the same points is seen before
anything is timed. Then whole decisions under the shipped rules (score, four reasons, one perk), each person about every
perk. Then everyone at once, by the columnar engine on Polars. The people are those of a town with a fixed seed; a
function that is called with the same question and does nothing is the measure of the measuring.

Each engine has a process of its own, so that its peak memory is its own; compiling the rules and a first round are not
timed. A second table tells what it takes to check a folder of 300 rules and to have the shipped one ready to decide.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import narwhals as nw
import polars as pl
import zen
from rich.console import Console
from rich.table import Table

from api.background.reload import timed
from api.catalogue import kinds, schema
from api.releases import rules_folder
from engine.decide import Question, Reference, decide, fitting
from engine.lang.check import check, release_of
from engine.lang.columnar import score
from engine.lang.online import Online
from engine.lang.program import SCORE, Program, Release
from engine.lang.reference import OPERATORS, evaluate
from engine.lang.source import known
from engine.lang.truths import And, Attr, Cmp, Int, Truth, Values
from engine.lang.types import EPOCH
from graph.features import features
from graph.sources.town import END, town
from tests.engine.many import Drawn, Range, drawn, files

PEOPLE: Final = 300
EVERYONE: Final = 200_000
RULES: Final = Path(__file__).parents[2] / "rules"
SAME: Final = 60  # rules that every engine is given
MANY: Final = 300  # rules that are checked
DAY: Final = (END.date() - EPOCH).days
_ROUNDS: Final = 3
_BEST: Final = 3  # of so many
_MAC: Final = sys.platform == "darwin"
Ask = Callable[[Any], object]


@dataclass(frozen=True)
class Figure:
    """One measurement: answers a second, microseconds of the median and the 99th percentile answer, peak memory in bytes."""

    name: str
    rate: float
    p50: float
    p99: float
    peak: int


EMPTY: Final = "an empty function call"
CLOSURES, ZEN = f"{SAME} rules, Python closures", f"{SAME} rules, zen-engine's decision table"
REFERENCE, ONLINE = f"{SAME} rules, reference", f"{SAME} rules, durable-rules"
WHOLE_REFERENCE, WHOLE_ONLINE = "a whole decision, reference", "a whole decision, durable-rules"
EVERYBODY: Final = "score, band, reasons: columnar on Polars"
NAMES: Final = (CLOSURES, ZEN, REFERENCE, ONLINE, WHOLE_REFERENCE, WHOLE_ONLINE, EVERYBODY)
CHECK: Final = f"check {MANY} rules"
RELOAD: Final = "reload the shipped rules"


@cache  # as is all that the names of one process share
def shipped() -> Release:
    """The shipped rules."""
    return rules_folder.load(RULES)


@cache
def sixty() -> tuple[list[Drawn], Program]:
    """The rules that every engine is given, and what they mean in the place of the shipped scorecard's."""
    rules = drawn(shipped().at(DAY), SAME)
    return rules, release_of(files(shipped(), rules), schema(), kinds()).at(DAY)


def people_of_a_town(program: Program, people: int) -> pl.DataFrame:
    """The features that the rules read, of about so many people."""
    events = pl.concat(list(town(people, seed=1).events()))
    return features(events.with_columns(recorded_at=pl.col("happened_at")), END, END, "perks").select(program.features)


@cache
def townspeople(people: int) -> pl.DataFrame:
    """About so many people, under the shipped rules."""
    return people_of_a_town(shipped().at(DAY), people)


def questions(program: Program, people: pl.DataFrame) -> list[Question]:
    """Each person about each perk, for half of what it covers at most."""
    at = END.isoformat()
    return [
        Question(f"p-{number}", perk.id, (perk.most + 1) // 2, perk.currency, at, at, at, "perks", values)
        for number, values in enumerate(people.iter_rows(named=True))
        for perk in program.perks
    ]


def whole(name: str, people: pl.DataFrame) -> tuple[Ask, list[Any]]:
    """An engine under the shipped rules, and what it is asked."""
    program = shipped().at(DAY)
    engine = Online(program) if name == WHOLE_ONLINE else Reference(program)
    return lambda question: decide(engine, question), questions(program, people)


def same(name: str, people: pl.DataFrame) -> tuple[Ask, list[Any]]:
    """An engine with the sixty rules, and what it is asked; it is seen to find the points that the reference finds."""
    rules, program = sixty()
    crowd = [fitting(program, values) for values in people.iter_rows(named=True)]
    stage, points = program.stages[SCORE], [(r.id, r.points) for r in rules]

    def by_status(statuses: Callable[[Values], Any]) -> Ask:
        def found(values: Values) -> int:
            of = statuses(values)
            return sum(given for id_, given in points if of[id_])

        return found

    reference = by_status(lambda values: evaluate(stage, values))
    asked: list[Any] = crowd
    if name == ZEN:
        ask, asked = by_zen(rules), [{_flat(n): v for n, v in values.items()} for values in crowd]
    elif name == CLOSURES:
        ask = by_closures([(closure(stage[r.id]), r.points) for r in rules])
    else:
        online = Online(program)
        ask = reference if name == REFERENCE else by_status(lambda values: online.statuses(SCORE, values))
    assert [ask(a) for a in asked] == [reference(values) for values in crowd]
    return ask, asked


def by_closures(compiled: Sequence[tuple[Callable[[Values], bool | None], int]]) -> Ask:
    """The points of whatever closure says that it is met."""
    return lambda values: sum(points for met, points in compiled if met(values))


def closure(node: Truth) -> Callable[[Values], bool | None]:
    """A comparison, or several of which all must hold, as a function."""
    match node:
        case Cmp(op, Attr(name), Int(constant)):
            holds = OPERATORS[op]
            return lambda values: None if (value := values.get(name)) is None else holds(value, constant)
        case And(parts):
            inner = [closure(part) for part in parts]

            def every(values: Values) -> bool | None:
                found: bool | None = True
                for part in inner:
                    status = part(values)
                    if status is False:
                        return False
                    found = found and status
                return found

            return every
        case _:
            raise AssertionError(f"no rule that is drawn has {node}")


def by_zen(rules: Sequence[Drawn]) -> Ask:
    """The rules as one decision table: a column for each feature, a row for each rule, every row that is met collected."""
    columns = sorted({each.feature for rule in rules for each in rule.ranges})
    inputs = [{"id": _flat(c), "name": c, "field": _flat(c)} for c in columns]
    rows = [{"_id": r.id, "points": str(r.points)} | {_flat(x.feature): _cell(x) for x in r.ranges} for r in rules]
    output = {"id": "points", "name": "points", "field": "points"}
    table = {
        "hitPolicy": "collect",
        "inputs": inputs,
        "outputs": [output],
        "rules": [{i["id"]: "" for i in inputs} | r for r in rows],
    }
    place = {"position": {"x": 0, "y": 0}}
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode", **place},
        {"id": "table", "name": "table", "type": "decisionTableNode", "content": table, **place},
        {"id": "out", "name": "out", "type": "outputNode", **place},
    ]
    edges = [
        {"id": f"{a}-{b}", "sourceId": a, "targetId": b, "type": "edge"} for a, b in (("in", "table"), ("table", "out"))
    ]
    decision = zen.ZenEngine().create_decision(json.dumps({"nodes": nodes, "edges": edges}))
    return lambda values: sum(row["points"] for row in decision.evaluate(values)["result"])


def _flat(name: str) -> str:
    return name.replace(".", "_")


def _cell(each: Range) -> str:
    if each.low is None:
        return f"< {each.high}"
    return f">= {each.low}" if each.high is None else f"[{each.low}..{each.high})"


def _timed(ask: Ask, asked: Sequence[Any]) -> list[int]:
    """Nanoseconds of each call, in rounds over all questions; the first round warms up."""
    spent: list[int] = []
    for _ in range(1 + _ROUNDS):
        spent = spent if len(spent) > len(asked) else []
        for question in asked:
            begin = time.perf_counter_ns()
            ask(question)
            spent.append(time.perf_counter_ns() - begin)
    return spent


def _everyone(program: Program, people: pl.DataFrame, everyone: int, times: int) -> float:
    """Seconds to score so many people at once, the best of so many times."""
    frame = nw.from_native(people.sample(everyone, with_replacement=True, seed=1))
    return min(_seconds(lambda: score(program, frame, DAY)["score"].len(), times))


def _seconds(act: Callable[[], object], times: int) -> Iterator[float]:
    """Of each run."""
    for _ in range(times):
        begin = time.perf_counter()
        act()
        yield time.perf_counter() - begin


def _measure(name: str, people: int, everyone: int, times: int) -> Figure:
    release = shipped()
    if name == CHECK:
        texts = files(release, drawn(release.at(DAY), MANY))
        return _once(name, min(_seconds(lambda: _checked(texts), times)))
    if name == RELOAD:  # from the change of a file to the swap, the longest wait for the next look included
        return _once(name, min(_reloaded() for _ in range(times)))
    crowd = townspeople(people)
    if name == EVERYBODY:
        return _once(name, _everyone(release.at(DAY), crowd, everyone, times) / everyone)
    make = whole if name in (WHOLE_REFERENCE, WHOLE_ONLINE) else same
    return _figure(name, _timed(*make(name, crowd)))


def _checked(texts: dict[str, str]) -> Release:
    known.cache_clear()  # as the first time
    release, problems = check(texts, schema(), kinds())
    assert release is not None, problems
    return release


def _reloaded() -> float:
    known.cache_clear()
    return sum(timed(RULES).values())


def _once(name: str, seconds: float) -> Figure:
    return Figure(name, 1 / seconds, seconds * 1e6, float("nan"), _peak())


def _figure(name: str, nanoseconds: list[int]) -> Figure:
    spent = pl.Series(nanoseconds) / 1000
    p50, p99 = (spent.quantile(q, "lower") or 0.0 for q in (0.5, 0.99))
    return Figure(name, 1e6 / float(spent.mean() or 0), p50, p99, _peak())  # type: ignore[arg-type]


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if _MAC else 1024)


def _apart(names: Sequence[str], people: int, everyone: int, times: int) -> dict[str, Figure]:
    sizes = map(str, (people, everyone, times))
    command = [sys.executable, "-m", "tests.bench.decide", "--apart", *sizes, *names]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {name: Figure(**said) for name, said in json.loads(done.stdout).items()}


def run(people: int = PEOPLE, everyone: int = EVERYONE, together: int = 0) -> dict[str, Figure]:
    """The empty call; then the engines and the whole population, one after the other, each in a process of its own; or
    `together` in one, and nothing again for the best of it, where the figures mean nothing.
    """
    empty = _figure(EMPTY, _timed(lambda _: None, range(people * 10)))
    names = (*NAMES, CHECK, RELOAD)
    found = {EMPTY: empty}
    for some in [names] if together else [(name,) for name in names]:
        found |= _apart(some, people, everyone, 1 if together else _BEST)
    return found


def main(people: int = PEOPLE, everyone: int = EVERYONE, together: int = 0) -> None:
    """Print the figures as two tables."""
    found = run(people, everyone, together)
    title = f"{people:,} people; columnar: {everyone:,} people at once; of zen: how many times as quick, at p50"
    table = Table(
        "what", "a second", "p50 µs", "p99 µs", "empty calls", "of reference", "of zen", "peak MB", title=title
    )
    for name in (EMPTY, *NAMES):
        f, reference = found[name], found[REFERENCE if name in (CLOSURES, ZEN, REFERENCE, ONLINE) else WHOLE_REFERENCE]
        p99 = "" if f.p99 != f.p99 else f"{f.p99:,.1f}"
        ratios = (
            f"{found[EMPTY].rate / f.rate:,.0f}",
            f"{f.rate / reference.rate:,.2f}",
            f"{found[ZEN].p50 / f.p50:,.1f}",
        )
        table.add_row(name, f"{f.rate:,.0f}", f"{f.p50:,.2f}", p99, *ratios, f"{f.peak / 1e6:,.0f}")
    loading = Table("what", "ms, best of three", "memory MB", title="rule files")
    for f in (found[CHECK], found[RELOAD]):
        loading.add_row(f.name, f"{f.p50 / 1e3:,.0f}", f"{f.peak / 1e6:,.0f}")
    Console().print(table, loading)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--apart"]:
        sizes = [int(a) for a in sys.argv[2:5]]
        print(json.dumps({name: asdict(_measure(name, *sizes)) for name in sys.argv[5:]}))
    else:
        main(*(int(a) for a in sys.argv[1:4]))
