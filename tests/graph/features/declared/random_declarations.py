"""Write random features files over the shipped kinds of events, which check without a problem."""

from functools import cache
from random import Random

from engine.lang.check.feature_parts import FeatureContext
from engine.lang.check.features import check_features
from engine.lang.check.guardrails import Guardrails
from engine.lang.model.features import DeclaredFeature
from engine.lang.model.problems import Report
from engine.lang.model.rates import ExchangeRates
from engine.lang.model.types import Kinds, Type
from engine.lang.syntax.ast import PolicyFile
from engine.lang.syntax.feature_lines import FeaturesFile
from engine.lang.syntax.parse import parse
from graph.features.declared.definition import FeatureDefinition
from iftah.catalogue import kinds, schema
from iftah.declarations import definition_of
from tests.paths import RULES

OPS = ("==", "!=", "<", "<=", ">", ">=")
WINDOWS = (
    *("1d", "40d", "365d", "12h", "90s", "all", "{months: 1}", "{months: 12}", "{months: 24}", "{months: 100}"),
    *("{full_months: 1}", "{full_months: 12}", "{full_months: 12}"),
)
NUMBERS = {
    "amount": ("0 CNY", "0.05 CNY", "0.07 CNY", "1 CNY", "5 JPY", "0.02 EUR"),
    "days_late": ("0", "3"),
    "identity_level": ("0", "2"),
    "strength": ("0", "4"),
}
TIMES = {"age": ("0s", "1d", "40d", "12h", "365d"), "time_of_day": ("0s", "6h", "12h", "43200s")}
DATES = {"happened_on": ("2024-02-29", "2023-12-31", "2024-01-01"), "due": ("2024-01-01", "2024-02-28")}
WORDS = {
    "category": ("wage", "transfer", "groceries"),
    "currency": ("CNY", "EUR"),
    "tie": ("friend", "vouch", "household"),
    "other": ("ann", "shop", "eve"),
    "obligation": ("loan", "bill"),
    "order": ("o1", "o2"),
}


def random_declarations(chooser: Random, count: int = 6) -> str:
    """The lines of a random file: features over events, ties and neighbours, and formulas over them."""
    names = kinds()
    sources = [_source(chooser, names) for _ in range(max(1, count // 2))]
    lines = [_event_line(chooser, n, chooser.choice(sources), names) for n in range(count)]
    lines += [_tie_line(chooser, n) for n in range(chooser.randint(0, 2))]
    counts = [
        f"a.f{n}" for n, line in enumerate(lines[:count]) if "measure: count" in line or "measure: distinct" in line
    ]
    if counts:
        one, other = chooser.choice(counts), chooser.choice(counts)
        formula = chooser.choice([f"{one} * 2 - {other}", f"{one} + {other} + 1", f"3 * {one}"])
        divided = chooser.choice(
            ["", f", divided_by: {other}", f", divided_by: {other} - 1, digits: 3, rounding: down"]
        )
        lines.append(f"{{id: z.formula, about: z, formula: {formula}{divided}, low: -100}}")
    if chooser.random() < 0.5:
        lines.append(
            "{id: y.level, about: y, of: person.enrolled, measure: max, value: identity_level, internal: true}"
        )
        measure = chooser.choice(
            ["share, where: y.level >= 2", "mean, value: y.level", "count, where: missing(y.level)"]
        )
        lines.append(f"{{id: y.near, about: y, of: neighbours, steps: {chooser.choice([1, 2])}, measure: {measure}}}")
    return "".join(f"  - {line}\n" for line in lines)


def _source(chooser: Random, names: Kinds) -> tuple[list[str], str, str]:
    chosen = chooser.sample(sorted(names), chooser.choice([1, 1, 2, 3]))
    chosen = ["payment.made"] if chooser.random() < 0.4 else chosen
    sides = ("subject", "other", "either") if all("other" in names[k].fields for k in chosen) else ("subject",)
    return chosen, chooser.choice(sides), chooser.choice(WINDOWS)


def _event_line(chooser: Random, number: int, source: tuple[list[str], str, str], names: Kinds) -> str:
    chosen, side, window = source
    types = {n: a.type for k in chosen for n, a in names[k].fields.items()}
    measure, value, more = _measure(chooser, types, window)
    keys = [f"id: a.f{number}", "about: a", f"of: [{', '.join(chosen)}]", f"as: {side}", f"window: {window}"]
    keys += [f"measure: {measure}", *([f"value: {value}"] if value else []), *more]
    if value == "amount" and measure != "distinct" and "payment.made" in chosen and chooser.random() < 0.9:
        keys.append(f"less: {chooser.choice(['payment.refunded', '[payment.refunded, payment.charged_back]'])}")
    if value == "amount" and measure != "distinct":
        keys.append(f"currency: {chooser.choice(['CNY', 'CNY', 'EUR', 'JPY'])}")
    if measure in ("share", "time_share") or chooser.random() < 0.6:
        keys.append(f'where: "{_condition(chooser, types, chosen)}"')
    if measure in ("share", "time_share") and chooser.random() < 0.4:
        keys.append(f'among: "{_condition(chooser, types, chosen)}"')
    if chooser.random() < 0.4:
        keys.append("missing: zero")
    return "{" + ", ".join(keys) + "}"


def _measure(chooser: Random, types: dict[str, Type], window: str) -> tuple[str, str, list[str]]:
    """A measure, its field, and its further keys."""
    numbers, dates = [n for n in NUMBERS if n in types], [n for n in ("due",) if n in types]
    measures = [
        "count",
        "days_since",
        "days_since_first",
        "months_with",
        "longest_gap",
        "share",
        "time_share",
        "distinct",
    ]
    measures += ["sum", "mean", "spread", "min", "max", "range", "latest", "first"] if numbers else []
    measures += (
        ["monthly_share", *(["monthly_mean", "monthly_steadiness"] if numbers else [])] if "full" in window else []
    )
    measures += ["busiest"] if "other" in types else []
    measure = chooser.choice(measures)
    digits = [f"digits: {chooser.choice([0, 1, 2])}"]
    if measure in ("distinct", "busiest"):
        more = [f"within: {chooser.choice(['1s', '1d', '7d'])}"] if measure == "busiest" else []
        return measure, chooser.choice(sorted(types)) if measure == "distinct" else "other", more
    if measure in ("min", "max", "latest", "first"):
        return measure, chooser.choice([*numbers, *dates]), []
    if measure in ("sum", "range"):
        return measure, chooser.choice(numbers), []
    if measure in ("mean", "spread", "monthly_mean", "monthly_steadiness"):
        return measure, chooser.choice(numbers), digits
    return measure, "", digits if "share" in measure else []


def _condition(chooser: Random, types: dict[str, Type], chosen: list[str], depth: int = 2) -> str:
    if depth and chooser.random() < 0.4:
        parts = [_condition(chooser, types, chosen, depth - 1) for _ in range(2)]
        return f"not ({parts[0]})" if chooser.random() < 0.3 else f"({chooser.choice([' and ', ' or ']).join(parts)})"
    fields = [*(n for n in (*NUMBERS, *WORDS, "due") if n in types), *TIMES, "happened_on", "kind"]
    fields += ["other_is_person"] if "other" in types else []
    name = chooser.choice(fields)
    if name in types and chooser.random() < 0.15:
        return f"{chooser.choice(['known', 'missing'])}({name})"
    if name == "other_is_person":
        return name
    if name == "kind":
        return f"kind == '{chooser.choice(chosen)}'"
    if name in WORDS:
        words = [w for w in WORDS[name] if not types[name].values or w in types[name].values]
        if chooser.random() < 0.5:
            return f"{name} {chooser.choice(['==', '!='])} '{chooser.choice(words)}'"
        return f"{name} {chooser.choice(['in', 'not in'])} ['{words[0]}', '{words[-1]}']"
    literals = NUMBERS.get(name) or TIMES.get(name) or DATES[name]
    return f"{name} {chooser.choice(OPS)} {chooser.choice(literals)}"


def _tie_line(chooser: Random, number: int) -> str:
    where = chooser.choice(["", ", where: \"tie == 'friend'\"", ", where: strength > 4 and other_is_person"])
    measure = chooser.choice(["count", "distinct, value: other", "mean, value: strength", "sum, value: strength"])
    return f"{{id: t.f{number}, about: t, of: ties, measure: {measure}{where}}}"


@cache
def _policy() -> PolicyFile:
    file = parse("policy.yaml", (RULES / "policy.yaml").read_text(encoding="utf-8"), Report())
    assert isinstance(file, PolicyFile)
    return file


def random_rates(chooser: Random) -> ExchangeRates | None:
    """ExchangeRates of several currencies, or none."""
    rates = {"EUR": ("EUR", "7.5"), "JPY": ("JPY", "0.0482")}
    some = tuple(rates[c] for c in sorted(chooser.sample(sorted(rates), chooser.randint(1, 2))))
    return chooser.choice([None, ExchangeRates("CNY", "2024-01-01", some)])


def checked(
    lines: str, timezone: str, event_kinds: Kinds | None = None, rates: ExchangeRates | None = None
) -> dict[str, DeclaredFeature]:
    """The features of a file that has no problem, by default over the shipped kinds of events."""
    report = Report(timezone=timezone, rates=rates)
    file = parse("features.yaml", f"kind: features\nfeatures:\n{lines}", report)
    assert isinstance(file, FeaturesFile), f"{lines}\n{report.problems}"
    guard = Guardrails(_policy(), schema(), report)
    features = check_features(file, FeatureContext(event_kinds or kinds(), {}, guard, schema(), report))
    assert not report.problems, lines + "\n".join(map(str, report.problems))
    return features


def declared_definitions(
    lines: str, timezone: str, event_kinds: Kinds | None = None, rates: ExchangeRates | None = None
) -> tuple[FeatureDefinition, ...]:
    return tuple(definition_of(feature) for feature in checked(lines, timezone, event_kinds, rates).values())
