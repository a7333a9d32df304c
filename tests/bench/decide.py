"""Measure the time of a decision, and of scoring everyone: `python -m tests.bench.decide [people everyone]`.

First we add up the points of the same sixty rules as Python closures, as a decision table of zen-engine (hit policy "collect"), by
the reference and by durable-rules. Before we measure, we check that all of them find the same points. Then we make whole decisions
under the shipped rules (score, four reasons, one perk), each person about every perk. Then we score everyone at once by the columnar
engine on Polars, and beside it by an expression written by hand for Polars alone. The people are those of a town with a fixed seed. An empty function, called with the same question, shows the cost
of measuring.

Each engine runs in a process of its own, for its own peak of memory. We do not time compiling the rules and a first round. A second
table shows the time to check a folder of 300 rules, to make the shipped one ready to decide, and to prove their warnings.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Final

import narwhals as nw
import polars as pl
import zen
from rich.console import Console
from rich.table import Table

from api.jobs.reload import time_reload
from api.releases import rules_folder
from api.releases.catalogue import kinds, schema
from engine.decide.decide import DecisionInputs, ReferenceEvaluator, decide, validate_values
from engine.lang.check.release import check, release_of
from engine.lang.engines.columnar import score
from engine.lang.engines.durable import DurableEvaluator
from engine.lang.engines.reference import OPERATORS, evaluate
from engine.lang.model.conditions import And, Attr, Cmp, Int, Truth, Values
from engine.lang.model.program import SCORE, Program, Release
from engine.lang.model.types import EPOCH
from engine.lang.syntax.source import load_cached
from engine.verify.prove.losses import prove_no_loss
from engine.verify.prove.warnings import warnings
from graph.datasets.town import END, town
from tests.engine.many_rules import Range, RangeRule, draw_rules, files
from tests.engine.score_by_hand import score_by_hand
from tests.paths import RULES
from tests.shipped_features import features

PEOPLE: Final = 300
POPULATION: Final = 200_000
SHARED_RULE_COUNT: Final = 60  # rules that every engine is given
CHECKED_RULE_COUNT: Final = 300  # rules that are checked
DAY: Final = (END.date() - EPOCH).days
_ROUNDS: Final = 3
_REPEATS: Final = 3  # of so many
_MAC: Final = sys.platform == "darwin"
QuestionFunction = Callable[[Any], object]


@dataclass(frozen=True)
class DecisionFigure:
    """One measurement: answers a second, microseconds of the median and the 99th percentile answer, peak memory in bytes."""

    name: str
    rate: float
    p50: float
    p99: float
    peak: int


EMPTY: Final = "an empty function call"
CLOSURES, ZEN = f"{SHARED_RULE_COUNT} rules, Python closures", f"{SHARED_RULE_COUNT} rules, zen-engine's decision table"
REFERENCE, DURABLE = f"{SHARED_RULE_COUNT} rules, reference", f"{SHARED_RULE_COUNT} rules, durable-rules"
WHOLE_REFERENCE, WHOLE_DURABLE = "a whole decision, reference", "a whole decision, durable-rules"
COLUMNAR: Final = "score, band, reasons: columnar on Polars"
BY_HAND: Final = "score, band, reasons: by hand in Polars"
NAMES: Final = (CLOSURES, ZEN, REFERENCE, DURABLE, WHOLE_REFERENCE, WHOLE_DURABLE, COLUMNAR, BY_HAND)
BY_HAND_GOAL: Final = 0.75  # of the rate by hand
CHECK: Final = f"check {CHECKED_RULE_COUNT} rules"
RELOAD: Final = "reload the shipped rules"
PROVE: Final = f"prove {CHECKED_RULE_COUNT} rules"
PROVE_SHIPPED: Final = "prove the shipped rules"
PROVE_NO_LOSS: Final = "prove that nobody loses by a lower tier"
PROOFS: Final = (PROVE, PROVE_SHIPPED, PROVE_NO_LOSS)
RULE_FILES: Final = (CHECK, RELOAD, *PROOFS)


@cache  # as is all that the names of one process share
def shipped_release() -> Release:
    """The shipped rules."""
    return rules_folder.load_folder(RULES)


@cache
def shared_rules() -> tuple[list[RangeRule], Program]:
    """The rules for every engine, and their meaning in the place of the shipped scorecard's."""
    rules = draw_rules(shipped_release().at(DAY), SHARED_RULE_COUNT)
    return rules, release_of(files(shipped_release(), rules), schema(), kinds()).at(DAY)


def people_of_a_town(program: Program, people: int) -> pl.DataFrame:
    """The features that the rules read, of about so many people."""
    events = pl.concat(list(town(people, seed=1).events()))
    return features(events.with_columns(recorded_at=pl.col("happened_at")), END, END, "perks").select(program.features)


@cache
def townspeople(people: int) -> pl.DataFrame:
    """About so many people, under the shipped rules."""
    return people_of_a_town(shipped_release().at(DAY), people)


def questions(program: Program, people: pl.DataFrame) -> list[DecisionInputs]:
    """One question about each person and perk, for half of the maximum amount."""
    at = END.isoformat()
    return [
        DecisionInputs(f"p-{number}", perk.id, (perk.most + 1) // 2, perk.currency, at, at, at, "perks", values)
        for number, values in enumerate(people.iter_rows(named=True))
        for perk in program.perks
    ]


def whole_decision_case(name: str, people: pl.DataFrame) -> tuple[QuestionFunction, list[Any]]:
    """An engine under the shipped rules, and its questions."""
    program = shipped_release().at(DAY)
    evaluator = DurableEvaluator(program) if name == WHOLE_DURABLE else ReferenceEvaluator(program)
    return lambda question: decide(evaluator, question), questions(program, people)


def shared_rules_case(name: str, people: pl.DataFrame) -> tuple[QuestionFunction, list[Any]]:
    """An engine with the sixty rules, and its questions. We check that it finds the points that the reference finds."""
    rules, program = shared_rules()
    people_values = [validate_values(program, values) for values in people.iter_rows(named=True)]
    stage, points = program.stages[SCORE], [(r.id, r.points) for r in rules]

    def by_status(statuses: Callable[[Values], Any]) -> QuestionFunction:
        def points_of(values: Values) -> int:
            status_of = statuses(values)
            return sum(rule_points for id_, rule_points in points if status_of[id_])

        return points_of

    reference = by_status(lambda values: evaluate(stage, values))
    inputs: list[Any] = people_values
    if name == ZEN:
        ask, inputs = by_zen(rules), [{_flat(n): v for n, v in values.items()} for values in people_values]
    elif name == CLOSURES:
        ask = by_closures([(closure(stage[r.id]), r.points) for r in rules])
    else:
        durable = DurableEvaluator(program)
        ask = reference if name == REFERENCE else by_status(lambda values: durable.statuses(SCORE, values))
    assert [ask(a) for a in inputs] == [reference(values) for values in people_values]
    return ask, inputs


def by_closures(closures: Sequence[tuple[Callable[[Values], bool | None], int]]) -> QuestionFunction:
    """The points of each closure that is met."""
    return lambda values: sum(points for met, points in closures if met(values))


def closure(node: Truth) -> Callable[[Values], bool | None]:
    """A comparison, or several of which all must hold, as a function."""
    match node:
        case Cmp(op, Attr(name), Int(constant)):
            holds = OPERATORS[op]
            return lambda values: None if (value := values.get(name)) is None else holds(value, constant)
        case And(parts):
            inner = [closure(part) for part in parts]

            def all_hold(values: Values) -> bool | None:
                result: bool | None = True
                for part in inner:
                    status = part(values)
                    if status is False:
                        return False
                    result = result and status
                return result

            return all_hold
        case _:
            raise AssertionError(f"no rule that is drawn has {node}")


def by_zen(rules: Sequence[RangeRule]) -> QuestionFunction:
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


def _time_calls(ask: QuestionFunction, inputs: Sequence[Any]) -> list[int]:
    """Nanoseconds of each call, in rounds over all questions; the first round warms up."""
    spent: list[int] = []
    for _ in range(1 + _ROUNDS):
        spent = spent if len(spent) > len(inputs) else []
        for question in inputs:
            begin = time.perf_counter_ns()
            ask(question)
            spent.append(time.perf_counter_ns() - begin)
    return spent


def _score_population(program: Program, people: pl.DataFrame, population: int, repeats: int) -> float:
    """Seconds to score so many people at once, the best of so many times."""
    frame = nw.from_native(people.sample(population, with_replacement=True, seed=1))
    return min(_seconds(lambda: score(program, frame, DAY)["score"].len(), repeats))


def _score_by_hand(program: Program, people: pl.DataFrame, population: int, repeats: int) -> float:
    """The same by hand, after a check that both give the same."""
    frame = people.sample(population, with_replacement=True, seed=1)
    by_hand = score_by_hand(program, frame)
    by_engine: pl.DataFrame = score(program, nw.from_native(frame), DAY).to_native()
    assert by_hand.equals(by_engine.select(by_hand.columns))
    return min(_seconds(lambda: score_by_hand(program, frame).height, repeats))


def _seconds(action: Callable[[], object], repeats: int) -> Iterator[float]:
    """Of each run."""
    for _ in range(repeats):
        begin = time.perf_counter()
        action()
        yield time.perf_counter() - begin


def _measure(name: str, people: int, population: int, repeats: int) -> DecisionFigure:
    release = shipped_release()
    if name == CHECK:
        texts = files(release, draw_rules(release.at(DAY), CHECKED_RULE_COUNT))
        return _single_figure(name, min(_seconds(lambda: _check_files(texts), repeats)))
    if name == RELOAD:  # from the change of a file to the swap, the longest wait for the next look included
        return _single_figure(name, min(_reload_seconds() for _ in range(repeats)))
    if name in PROOFS:
        return _single_figure(name, min(_proof_seconds(name) for _ in range(1 if name == PROVE else repeats)))
    people_frame = townspeople(people)
    if name == COLUMNAR:
        return _single_figure(name, _score_population(release.at(DAY), people_frame, population, repeats) / population)
    if name == BY_HAND:
        return _single_figure(name, _score_by_hand(release.at(DAY), people_frame, population, repeats) / population)
    make_case = whole_decision_case if name in (WHOLE_REFERENCE, WHOLE_DURABLE) else shared_rules_case
    return _figure(name, _time_calls(*make_case(name, people_frame)))


def _check_files(texts: dict[str, str]) -> Release:
    load_cached.cache_clear()  # as the first time
    release, problems = check(texts, schema(), kinds())
    assert release is not None, problems
    return release


def _proof_seconds(name: str) -> float:
    release = shipped_release()
    if name == PROVE_NO_LOSS:
        perks = release.files["perks.yaml"].replace("when: score >= 600, waive", "when: score >= 590, waive")
        lower = _check_files({**release.files, "perks.yaml": perks})
        return next(_seconds(lambda: prove_no_loss(release, lower), 1))
    texts = files(release, draw_rules(release.at(DAY), CHECKED_RULE_COUNT))
    checked = _check_files(texts) if name == PROVE else release
    return next(_seconds(lambda: warnings(checked), 1))


def _reload_seconds() -> float:
    load_cached.cache_clear()
    return sum(time_reload(RULES).values())


def _single_figure(name: str, seconds: float) -> DecisionFigure:
    return DecisionFigure(name, 1 / seconds, seconds * 1e6, float("nan"), _peak())


def _figure(name: str, nanoseconds: list[int]) -> DecisionFigure:
    spent = pl.Series(nanoseconds) / 1000
    p50, p99 = (spent.quantile(q, "lower") or 0.0 for q in (0.5, 0.99))
    return DecisionFigure(name, 1e6 / float(spent.mean() or 0), p50, p99, _peak())  # type: ignore[arg-type]


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if _MAC else 1024)


def _in_subprocess(names: Sequence[str], people: int, population: int, repeats: int) -> dict[str, DecisionFigure]:
    sizes = map(str, (people, population, repeats))
    command = [sys.executable, "-m", "tests.bench.decide", "--apart", *sizes, *names]
    completed = subprocess.run(command, check=True, capture_output=True, text=True)
    return {name: DecisionFigure(**fields) for name, fields in json.loads(completed.stdout).items()}


def run(people: int = PEOPLE, population: int = POPULATION, together: int = 0) -> dict[str, DecisionFigure]:
    """The empty call; then the engines and the whole population, one after the other, each in a process of its own; or
    `together` in one, and nothing again for the best of it, where the figures mean nothing.
    """
    empty = _figure(EMPTY, _time_calls(lambda _: None, range(people * 10)))
    names = (*NAMES, *RULE_FILES)
    figures = {EMPTY: empty}
    for group in [names] if together else [(name,) for name in names]:
        figures |= _in_subprocess(group, people, population, 1 if together else _REPEATS)
    return figures


def main(people: int = PEOPLE, population: int = POPULATION, together: int = 0) -> None:
    """Print the figures as two tables."""
    figures = run(people, population, together)
    title = f"{people:,} people; columnar: {population:,} people at once; of zen: how many times as quick, at p50"
    table = Table(
        "what", "a second", "p50 µs", "p99 µs", "empty calls", "of reference", "of zen", "peak MB", title=title
    )
    for name in (EMPTY, *NAMES):
        figure, reference = (
            figures[name],
            figures[REFERENCE if name in (CLOSURES, ZEN, REFERENCE, DURABLE) else WHOLE_REFERENCE],
        )
        p99 = "" if figure.p99 != figure.p99 else f"{figure.p99:,.1f}"
        ratios = (
            f"{figures[EMPTY].rate / figure.rate:,.0f}",
            f"{figure.rate / reference.rate:,.2f}",
            f"{figures[ZEN].p50 / figure.p50:,.1f}",
        )
        table.add_row(name, f"{figure.rate:,.0f}", f"{figure.p50:,.2f}", p99, *ratios, f"{figure.peak / 1e6:,.0f}")
    share = figures[COLUMNAR].rate / figures[BY_HAND].rate
    table.caption = f"columnar: {share:.2f} of the rate by hand; the goal is {BY_HAND_GOAL}"
    rule_files_table = Table("what", "ms, best of three", "memory MB", title="rule files")
    for figure in (figures[name] for name in RULE_FILES):
        rule_files_table.add_row(figure.name, f"{figure.p50 / 1e3:,.0f}", f"{figure.peak / 1e6:,.0f}")
    Console().print(table, rule_files_table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--apart"]:
        sizes = [int(a) for a in sys.argv[2:5]]
        print(json.dumps({name: asdict(_measure(name, *sizes)) for name in sys.argv[5:]}))
    else:
        main(*(int(a) for a in sys.argv[1:4]))
