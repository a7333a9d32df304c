"""How things are shown in a terminal; elsewhere the same as plain lines."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import polars as pl
from rich.table import Table

from api.actions import Explained
from engine import explain
from engine.lang.program import Characteristic, Part, Perk, PointRule, Program
from engine.lang.types import Type, written

BIN: int = 25  # score points a bar
WIDEST: int = 48
STATUS = {True: "met", False: "not met", None: "unknown"}


def stages(done: Sequence[tuple[str, float, str]]) -> Table:
    """How long each stage took."""
    table = Table("stage", "seconds", "what came", title="Stages", title_justify="left")
    table.columns[1].justify = "right"
    for name, seconds, came in done:
        table.add_row(name, f"{seconds:.2f}", came)
    return table


def distribution(program: Program, scores: pl.DataFrame) -> Iterator[str]:
    """A small chart of everyone's scores, a bar for each `BIN` points, and the bands' shares."""
    card, known = program.scorecard, scores.drop_nulls("score")
    counts = dict(known.group_by(pl.col("score") // BIN * BIN).len().iter_rows())
    most = max(counts.values(), default=1)
    yield f"Scores of {known.height:,} people; {scores.height - known.height:,} unscorable"
    low = min(counts, default=card.lowest)
    for start in range(low, max(counts, default=low) + BIN, BIN):
        count = counts.get(start, 0)
        bar = "█" * round(count * WIDEST / most) or ("▏" if count else "")
        yield f"  {start}-{min(start + BIN - 1, card.highest)} {bar} {count:,}"
    shares = dict(known.group_by("band").len().iter_rows())
    whole = max(known.height, 1)
    yield "  " + ", ".join(f"{b.name} {100 * shares.get(b.name, 0) / whole:.0f} %" for b in card.bands)


def explanation(found: Explained, language: str = "en") -> Iterator[Table | str]:
    """A person's score as the person may see it: every part of it, and the reasons in words."""
    scored, program = found.scored, found.program
    if scored.score is None:
        yield f"{found.person}: no score, as of {found.build.as_of:%Y-%m-%d}"
    else:
        yield f"{found.person}: {scored.score}, {scored.band} (base {program.scorecard.base}), as of {found.build.as_of:%Y-%m-%d}"
    table = Table("what", "value", "status", "points", "best")
    table.columns[0].no_wrap = True
    for column in (1, 3, 4):
        table.columns[column].justify = "right"
    for part, item in zip(scored.parts, program.scorecard.items, strict=True):
        table.add_row(*_shown(found, part, item), str(part.points), str(part.baseline))
    yield table
    yield _atoms(explain.explanations(program, found.values, scored.score, found.day))
    yield from reasons(program, scored.reasons, language)


def one_rule(found: Explained, name: str) -> Iterator[Table | str]:
    """One rule, characteristic, knock-out or tier on a person, by its id."""
    asked = explain.explanation(found.program, found.values, found.scored.score, found.day, name)
    yield f"{found.person}: {asked.id} ({asked.of}) is {STATUS[asked.status]}"
    yield _atoms([asked])
    if asked.unknown:
        yield f"unknown because of {', '.join(asked.unknown)}"


def _atoms(asked: Iterable[explain.Explained]) -> Table:
    """Every comparison of the rules: what is asked, what there is, and how much it is off from turning."""
    table = Table("rule", "of", "is", "asked", "status", "value", "threshold", "distance")
    for rule in asked:
        for n, atom in enumerate(rule.atoms):
            head = (rule.id, rule.of, STATUS[rule.status]) if n == 0 else ("", "", "")
            table.add_row(*head, atom.asked, STATUS[atom.status], atom.value, atom.threshold, atom.distance)
    return table


def reasons(program: Program, codes: Sequence[str], language: str = "en") -> Iterator[str]:
    """The reasons in words; those of the first language where one has none."""
    for code in codes:
        wording = program.reasons[code]
        yield f"  - {wording.get(language, wording[program.languages[0]])} [{code}]"


def _shown(found: Explained, part: Part, item: Characteristic | PointRule) -> tuple[str, str, str]:
    if isinstance(item, PointRule):
        return f"{item.dimension}: {item.id}", "", STATUS[part.status]
    type_ = found.program.schema[item.feature].type
    value = written(found.values.get(item.feature), type_)
    return item.feature, value, "missing" if part.bin is None else _bin(item, part.bin, type_)


def _bin(item: Characteristic, place: int, type_: Type) -> str:
    if place == 0:
        return f"< {written(item.cuts[0], type_)}"
    if place == len(item.cuts):
        return f"≥ {written(item.cuts[-1], type_)}"
    return f"{written(item.cuts[place - 1], type_)} to < {written(item.cuts[place], type_)}"


def money(minor: int, perk: Perk | None) -> str:
    """Minor units as the perk's currency writes them."""
    return written(minor, Type("decimal", perk.digits if perk else 2))


def decision(program: Program, record: dict[str, Any], language: str = "en") -> Iterator[str]:
    """A decision as the person sees it: the score, what was decided and why, from its record."""
    scored, answer = record["scored"], record["answer"]
    score = "no score" if scored["score"] is None else f"score {scored['score']} ({scored['band']})"
    yield f"  {score}; {answer['outcome']} for {record['question']['perk']}"
    by_dimension: dict[str, int] = {}
    for part in scored["parts"]:
        by_dimension[part["dimension"]] = by_dimension.get(part["dimension"], 0) + part["points"]
    if scored["score"] is not None:
        points = ", ".join(f"{name} {total:+d}" for name, total in by_dimension.items())
        yield f"  {program.scorecard.base} points to begin with, {points}"
    if record["reasons"]:
        yield "  what stood in the way, or cost most points:"
    yield from reasons(program, record["reasons"], language)
