"""docs/features.md, from the catalogue and from a town: `python -m tests.features_document` writes it anew."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import polars as pl

from engine.lang.policy import policies
from engine.lang.timezones import zone
from graph.catalog import DIMENSIONS, FEATURES, Feature
from graph.features import features
from graph.sources.town import END, town

ROOT: Final = Path(__file__).resolve().parents[1]
DOCUMENT: Final = ROOT / "docs" / "features.md"
PEOPLE, SEED = 2_000, 7
ABOUT: Final = {
    "identity": "Who they are, as far as proved.",
    "capacity": "What comes in, what goes out, what is left.",
    "behaviour": "What they pay, to how many, how steadily.",
    "credit": "How they kept their promises.",
    "relationships": "Who stands by them. They count upwards only: nobody's ties or friends lower a score.",
    "fraud": "What looks like money being collected, scattered or passed round. It is for flags and for who looks into "
    "them; no scorecard reads it, and it never lowers anyone's trust through a neighbour.",
}
INTRODUCTION: Final = f"""# Features

What rules can speak of: {len(FEATURES)} features of a person, as of a moment. Generated from
[the catalogue](../graph/catalog/__init__.py) by `python -m tests.features_document`; a test holds that it is so.

Each feature has a **class** of evidence. Without the person's consent to it the feature is *missing*, which is never zero.
**Local** features depend on the person's own events and on the people next to them, and can be refreshed for one person
at once; **global** ones need everybody's and are of the last build. Ratios are decimals, halves rounded up; money is in
minor units (cents, fen) of its one currency. What a person can **better** themselves has an effort: 1 a matter of days, 2 of
a few weeks, 3 of months, 4 of a year or more; it is judgement, and serves to tell people what would raise their score.

## How formulas are written

| | |
|---|---|
| `P`, `R` | the payments they made, and received, within the window |
| `I` | those of `R` that are a wage, a pension or a benefit |
| `B` | the readings of their balance within the window |
| `T` | the people tied to them, by a mutual tie in force or by vouching for them |
| `obligation.paid`, .. | their events of that [kind](events.md) within the window |
| `\\|X\\|` | how many there are in X |
| `sum(X)`, `mean(X)` | the sum of the amounts in X, and their mean |
| `parties(X)`, `months(X)`, `categories(X)` | the different ones in X: who is at the other end, calendar months (on the clocks of the rules' time zone), categories |
| now | the moment the features are of; a window ends with it |

## The town

The figures are of [a town](../graph/sources/town/__init__.py) of {PEOPLE:,} people, seed {SEED}, as of {END:%Y-%m-%d}.
**The town is invented**: they show how a feature spreads where it is known how people are, not how people are. *Missing* is the
share of people for whom it is. The others are of those for whom it is known: a tenth are at or below p10, half at or
below p50, nine tenths at or below p90.
"""
HEAD: Final = """| feature | what it means | unit | missing | p10 | p50 | p90 | highest |
|---|---|---|--:|--:|--:|--:|--:|"""


def document() -> str:
    """The whole text."""
    return INTRODUCTION + "".join(f"\n{part}\n" for d in DIMENSIONS for part in _dimension(d))


def _dimension(dimension: str) -> Iterator[str]:
    told = [f for f in FEATURES if f.dimension == dimension]
    yield f"## {dimension}"
    yield ABOUT[dimension]
    yield "\n".join([HEAD, *(_row(f) for f in told)])
    yield from (_section(f) for f in told)


def _row(feature: Feature) -> str:
    link = f"[`{feature.name}`](#{feature.name.replace('.', '')})"
    return " | ".join([f"| {link}", feature.about, feature.unit, *in_the_town(feature)]) + " |"


def _section(feature: Feature) -> str:
    missing, p10, p50, p90, highest = in_the_town(feature)
    lines = [
        f"### `{feature.name}`",
        "",
        feature.about,
        "",
        f"- formula: `{feature.formula}`",
        f"- value: {_kind(feature)}, from {written(feature, feature.low)} to {written(feature, feature.high)}; unit: {feature.unit}; {feature.direction}",
        f"- window: {feature.window}",
        f"- class: {feature.data_class}. {feature.missing}",
        f"- {feature.scope}; cost: {feature.cost}",
        f"- for the person: {_effort(feature)}",
        f"- in the town: missing for {missing}; p10 {p10}, p50 {p50}, p90 {p90}, highest {highest}",
    ]
    if feature.reference:
        lines.append(f"- reference: {feature.reference}")
    return "\n".join(lines)


def _effort(feature: Feature) -> str:
    return "not theirs to change" if feature.effort is None else f"can be bettered, effort {feature.effort} of 4"


def _kind(feature: Feature) -> str:
    return f"decimal({feature.digits})" if feature.digits else feature.type


def in_the_town(feature: Feature) -> list[str]:
    """The share of people for whom it is missing; the tenth, fiftieth and ninetieth percentile and the highest of the rest."""
    values = townspeople()[feature.name]
    known = values.drop_nulls()
    share = f"{values.null_count() / len(values):.1%}"
    if known.is_empty() or not known.dtype.is_integer():
        return [share, "-", "-", "-", "-"]
    marks = (*(known.quantile(q, "lower") for q in (0.1, 0.5, 0.9)), known.max())
    return [share, *(written(feature, int(m)) for m in marks)]


def written(feature: Feature, stored: int) -> str:
    """A value as stored, as a person reads it."""
    whole, rest = divmod(abs(stored), 10**feature.digits)
    return f"{'-' * (stored < 0)}{whole:,}" + (f".{rest:0{feature.digits}}" if feature.digits else "")


@cache
def townspeople() -> pl.DataFrame:
    """Everyone's features in the town."""
    told = pl.concat(town(PEOPLE, seed=SEED).events())
    (policy,) = policies({"policy.yaml": (ROOT / "rules/policy.yaml").read_text(encoding="utf-8")}).values()
    return features(told.with_columns(recorded_at="happened_at"), END, END, "perks", zone=zone(policy.timezone.text))


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
