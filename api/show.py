"""How things are shown in a terminal; elsewhere the same as plain lines."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import polars as pl
from rich.table import Column, Table

from api import clock
from api.actions import Explained
from api.features.coverage import OLD, Coverage
from engine import explain, why
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
    if known.is_empty():
        people = f"all {scores.height:,} people are unscorable" if scores.height else "there are no people"
        yield f"Nobody has a score: {people}, so there is no chart"
        return
    counts = dict(known.group_by(pl.col("score") // BIN * BIN).len().iter_rows())
    most = max(counts.values())
    yield f"Scores of {known.height:,} people; {scores.height - known.height:,} unscorable"
    for start in range(min(counts), max(counts) + BIN, BIN):
        count = counts.get(start, 0)
        bar = "█" * round(count * WIDEST / most) or ("▏" if count else "")
        yield f"  {start}-{min(start + BIN - 1, card.highest)} {bar} {count:,}"
    shares = dict(known.group_by("band").len().iter_rows())
    yield "  " + ", ".join(f"{b.name} {100 * shares.get(b.name, 0) / known.height:.0f} %" for b in card.bands)


def coverage(seen: Coverage, lacking: Sequence[tuple[str, int]] = ()) -> Iterator[str]:
    """How many people have a score, of when the evidence is, and which part of `scorable` keeps how many from one."""
    yield str(seen)
    if seen.newest and seen.as_of - seen.newest > OLD:
        yield f"That is long after the newest evidence; to look from then: `iftah build --as-of {clock.iso(seen.newest)}`"
    if any(count for _, count in lacking):
        yield "Of those without a score, so many do not meet:"
    for part, count in lacking:
        if count:
            yield f"  {count:,}: {part}"


def explanation(found: Explained, language: str = "en") -> Iterator[Table | str]:
    """A person's score as the person may see it: every part of it, and the reasons in words."""
    scored, program = found.scored, found.program
    if scored.score is None:
        yield f"{found.person}: no score, as of {found.build.as_of:%Y-%m-%d}"
    else:
        yield f"{found.person}: {scored.score}, {scored.band} (base {program.scorecard.base}), as of {found.build.as_of:%Y-%m-%d}"
    table = Table(Column("what", no_wrap=True), "value", "status", "points", "best")
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
    """Every comparison of the rules: what is asked, what there is, and how much it is off from turning; a section for each
    dimension and perk. Ids are never folded, and the rest is folded between words, in a terminal of 80 columns too.
    """
    table = Table(Column("rule", no_wrap=True), Column("is", no_wrap=True), "what is asked, and what there is")
    of = None
    for rule in asked:
        if of not in (None, rule.of):
            table.add_section()
        of = rule.of
        for n, atom in enumerate(rule.atoms):
            table.add_row(*((rule.id, STATUS[rule.status]) if n == 0 else ("", "")), why.comparison(atom))
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
    for lack in explain.shortfalls(program, record):
        needed = f"{lack.needed} needed, " if lack.needed else ""
        yield f"  {lack.tier} was nearest: {lack.asked}: {needed}{lack.there} there"
    by_dimension: dict[str, int] = {}
    for part in scored["parts"]:
        by_dimension[part["dimension"]] = by_dimension.get(part["dimension"], 0) + part["points"]
    if scored["score"] is not None:
        points = ", ".join(f"{name} {total:+d}" for name, total in by_dimension.items())
        yield f"  {program.scorecard.base} points to begin with, {points}"
    if record["reasons"]:
        yield "  what stood in the way, or cost most points:"
    yield from reasons(program, record["reasons"], language)
