"""Generate docs/features.md from `rules/features.yaml`, the catalogue and a town: `python -m tests.features_document`."""

import re
import textwrap
from collections.abc import Iterator
from functools import cache
from typing import Final

import polars as pl

from engine.lang.check.policy_changes import policies
from engine.lang.model.timezones import zone
from graph.catalog import Feature
from graph.datasets.town import END, town
from tests.paths import DOCS, ROOT, RULES
from tests.shipped_features import FEATURES, features

DOCUMENT: Final = DOCS / "features.md"
PEOPLE, SEED = 2_000, 7
DIMENSION_INTROS: Final = {
    "identity": "Identity, as far as it is proved.",
    "capacity": "Income, spending and balances.",
    "behaviour": "Payments made: totals, counterparties, steadiness.",
    "credit": "Repayment of obligations elsewhere, and of orders here.",
    "relationships": "Ties that support a person. They only add: your ties and friends never lower your score.",
    "fraud": "Patterns of money that is collected, scattered or sent round. They serve flags and investigations. No scorecard "
    "reads them, and they never lower a neighbour's trust.",
}
INTRODUCTION: Final = f"""# Features

You can use these {len(FEATURES)} features of a person in rules. Each has a value as of a moment. Those with a declaration are the shipped
[features.yaml](../rules/features.yaml), which [you can change](language.md#features); the others need a whole graph or follow events through
time, and are in [the catalogue](../graph/catalog/__init__.py). We generate this page from both by `python -m tests.features_document`; a test checks
that it is up to date.

Each feature has a **class** of evidence. Without the person's consent to the class the feature is *missing*, which is never zero.
**Local** features depend on the person's own events and on the people next to them; we can refresh them for one person at once.
**Global** features need the events of everybody and date from the last build. Ratios are decimals, halves rounded up. Money is
in minor units (cents, fen) of its single currency. If a person can **improve** a feature, it has an effort: 1 a matter of days,
2 of a few weeks, 3 of months, 4 of a year or more. The effort is a judgement; we use it to tell people how to raise their score.

## How formulas are written

| | |
|---|---|
| `P`, `R` | the payments that the person made, and received, within the window |
| `I` | the payments in `R` that are a wage, a pension or a benefit |
| `B` | the readings of the person's balance within the window |
| `T` | the people tied to the person, by a mutual tie in force or by vouching for the person |
| `obligation.paid`, .. | the person's events of that [kind](events.md) within the window |
| `\\|X\\|` | the number of elements of X |
| `sum(X)`, `mean(X)` | the sum of the amounts in X, and their mean |
| `parties(X)`, `months(X)`, `categories(X)` | the distinct counterparties, calendar months (in the time zone of the rules) and categories in X |
| now | the moment of the features; a window ends at it |

## The town

We computed the figures on [a town](../graph/datasets/town/__init__.py) of {PEOPLE:,} people, seed {SEED}, as of {END:%Y-%m-%d}.
**The town is synthetic**: its figures show how a feature separates people whose truth we know, not how real people are. *Missing*
is the share of people for whom the feature is missing. The other figures are of the people for whom it is known: a tenth are at or
below p10, half at or below p50, nine tenths at or below p90.
"""
HEAD: Final = """| feature | what it means | unit | missing | p10 | p50 | p90 | highest |
|---|---|---|--:|--:|--:|--:|--:|"""


def document() -> str:
    """Return the whole text."""
    return INTRODUCTION + "".join(f"\n{part}\n" for d in DIMENSION_INTROS for part in _dimension(d))


def _dimension(dimension: str) -> Iterator[str]:
    dimension_features = [f for f in FEATURES if f.dimension == dimension]
    yield f"## {dimension}"
    yield DIMENSION_INTROS[dimension]
    yield "\n".join([HEAD, *(_row(f) for f in dimension_features)])
    yield from (_section(f) for f in dimension_features)


def _row(feature: Feature) -> str:
    link = f"[`{feature.name}`](#{feature.name.replace('.', '')})"
    return " | ".join([f"| {link}", feature.about, feature.unit, *town_quantiles(feature)]) + " |"


@cache
def declarations() -> dict[str, str]:
    """The lines of rules/features.yaml, by feature."""
    text = (RULES / "features.yaml").read_text(encoding="utf-8")
    items = re.findall(r"^  - id: (\S+)\n((?:    .*\n)*)", text, re.MULTILINE)
    return {name: textwrap.dedent(f"  - id: {name}\n{rest}") for name, rest in items}


def _section(feature: Feature) -> str:
    missing, p10, p50, p90, highest = town_quantiles(feature)
    lines = [
        f"### `{feature.name}`",
        "",
        feature.about,
        "",
        f"- value: {_kind(feature)}, from {format_value(feature, feature.low)} to {format_value(feature, feature.high)}; unit: {feature.unit}; {feature.direction}",
        f"- window: {feature.window}",
        f"- class: {feature.data_class}. {feature.missing}",
        f"- {feature.scope}; cost: {feature.cost}",
        f"- for the person: {_effort(feature)}",
        f"- in the town we measured: missing for {missing}; p10 {p10}, p50 {p50}, p90 {p90}, highest {highest}",
    ]
    if feature.formula:
        lines.insert(4, f"- formula: `{feature.formula}`")
    if feature.reference:
        lines.append(f"- reference: {feature.reference}")
    if feature.name in declarations():
        lines += ["", "```yaml", declarations()[feature.name].rstrip("\n"), "```"]
    return "\n".join(lines)


def _effort(feature: Feature) -> str:
    return "cannot change it" if feature.effort is None else f"can improve it, effort {feature.effort} of 4"


def _kind(feature: Feature) -> str:
    return f"decimal({feature.digits})" if feature.digits else feature.type


def town_quantiles(feature: Feature) -> list[str]:
    """Return the share of missing values; of the others the tenth, fiftieth and ninetieth percentile and the highest."""
    values = town_features()[feature.name]
    non_null = values.drop_nulls()
    share = f"{values.null_count() / len(values):.1%}"
    if non_null.is_empty() or not non_null.dtype.is_integer():
        return [share, "-", "-", "-", "-"]
    quantiles = (*(non_null.quantile(q, "lower") for q in (0.1, 0.5, 0.9)), non_null.max())
    return [share, *(format_value(feature, int(m)) for m in quantiles)]


def format_value(feature: Feature, stored: int) -> str:
    """Format a stored value for people."""
    whole, rest = divmod(abs(stored), 10**feature.digits)
    return f"{'-' * (stored < 0)}{whole:,}" + (f".{rest:0{feature.digits}}" if feature.digits else "")


@cache
def town_features() -> pl.DataFrame:
    """Compute the features of everyone in the town."""
    events = pl.concat(town(PEOPLE, seed=SEED).events())
    (policy,) = policies({"policy.yaml": (ROOT / "rules/policy.yaml").read_text(encoding="utf-8")}).values()
    return features(events.with_columns(recorded_at="happened_at"), END, END, "perks", zone=zone(policy.timezone.text))


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
