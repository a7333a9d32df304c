"""Features with the same kinds, side and window share one pass over the events, however many they are."""

import narwhals as nw
import polars as pl

from graph.evidence.visibility import visible_with_consents
from graph.features.declared.columns import declared_columns
from tests.graph.features.declared.declarations import definitions
from tests.graph.random_ledgers import initial_events
from tests.graph.story import moment

AS_OF = moment("2024-02-29")


def passes(*lines: str) -> int:
    """The number of groupings and of joins in the plan for these features."""
    view, consents = visible_with_consents(initial_events(), AS_OF, AS_OF, "perks")
    frames = [nw.from_native(f.lazy()) for f in (view, consents)]
    table = declared_columns(*frames, definitions("\n".join(f"- {{{line}}}" for line in lines)), AS_OF)
    plan: pl.LazyFrame = table.to_native()
    text = plan.explain(optimized=False)
    return text.count("AGGREGATE") + text.count("JOIN")


def payments(n: int, window: str = "365d") -> str:
    measure = (
        "count",
        "sum, value: amount, currency: CNY",
        "mean, value: amount, currency: CNY",
        "distinct, value: other",
        "days_since",
    )[n % 5]
    return f"id: a.f{n}, about: a, of: payment.made, where: amount > {n} CNY, window: {window}, measure: {measure}"


def test_two_hundred_features_take_as_many_passes_as_two() -> None:
    assert passes(*map(payments, range(200))) == passes(*map(payments, range(2)))


def test_other_windows_add_a_pass() -> None:
    one, two = passes(payments(0)), passes(payments(0), payments(1, "30d"))
    assert two > one
    assert passes(payments(0), payments(1, "30d"), payments(2, "30d"), payments(3)) == two


def test_other_kinds_add_a_pass_unless_a_feature_reads_both() -> None:
    opened, paid, both = (
        f"id: a.{name}, about: a, of: {kinds}, window: 365d, measure: count"
        for name, kinds in (
            ("opened", "obligation.opened"),
            ("paid", "obligation.paid"),
            ("both", "[obligation.opened, obligation.paid]"),
        )
    )
    assert passes(opened, paid) == passes(payments(0), opened) > passes(opened)
    assert passes(opened, paid, both) == passes(both) == passes(opened)
