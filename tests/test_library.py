"""The library: the names that it exports, each with an example that runs, and how little `import iftah` costs."""

import doctest
import importlib
import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

import iftah

ROOT = Path(__file__).resolve().parents[1]
MODULES = ("iftah", "iftah.evidence", "iftah.rules_folder", "iftah.scoring")
ERRORS = {"EngineError", "IftahError", "Problem", "Rejected", "RulesError"}
FUNCTIONS = {"assess", "check", "decide", "explain", "features", "load_rules", "recourse", "visible"}
DAY = date(2026, 1, 1)


def test_the_exported_names_are_these() -> None:
    assert set(iftah.__all__) == ERRORS | FUNCTIONS | {"FEATURES", "Feature", "Release", "__version__"}
    assert dir(iftah) == sorted(iftah.__all__)
    assert all(getattr(iftah, name) is not None for name in iftah.__all__)


def test_an_unknown_name_raises_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute `asses`"):
        _ = iftah.asses  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", MODULES)
def test_every_example_of_the_library_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


def test_every_exported_name_is_in_an_example() -> None:
    examples = "".join(
        e.source
        for name in MODULES
        for t in doctest.DocTestFinder().find(importlib.import_module(name))
        for e in t.examples
    )
    assert [name for name in iftah.__all__ if f"iftah.{name}" not in examples] == []
    assert [name for name in FUNCTIONS if ">>>" not in (getattr(iftah, name).__doc__ or "")] == []


def test_the_lines_of_the_readme_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## As a library")[2].partition("\n## ")[0]
    examples = doctest.DocTestParser().get_doctest(section, {}, "README.md", None, 0)
    assert 0 < len(examples.examples) <= 5
    assert doctest.DocTestRunner().run(examples).failed == 0


def test_importing_the_library_imports_nothing_else() -> None:
    code = "import json, sys; before = set(sys.modules); import iftah; print(json.dumps(sorted(set(sys.modules) - before)))"
    completed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    modules = [
        name
        for name in json.loads(completed.stdout)
        if name.partition(".")[0] in ("iftah", "engine", "graph", "api", "polars")
    ]
    assert modules == ["iftah"]


@pytest.fixture(scope="module")
def release() -> iftah.Release:
    return iftah.load_rules(ROOT / "rules")


@pytest.mark.parametrize("cover", [Decimal("1.10"), "1.10", "1.1"])
@pytest.mark.parametrize("tenure", [800, "800d", timedelta(days=800)])
def test_a_value_has_several_accepted_forms(release: iftah.Release, cover: object, tenure: object) -> None:
    values = {"identity.level": 2, "identity.tenure_days": tenure, "capacity.income_cover": cover, "credit.kept": 14}
    plain = {**values, "identity.tenure_days": 800, "capacity.income_cover": Decimal("1.1"), "credit.orders_kept": 0}
    assert iftah.assess(release, {**values, "credit.orders_kept": 0}, as_of=DAY) == iftah.assess(
        release, plain, as_of=DAY
    )


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        ({"credit.keptt": 1}, "unknown feature `credit.keptt`", "did you mean `credit.kept`"),
        (
            {"capacity.income_cover": 1.1},
            "the value of `capacity.income_cover` is not decimal(2)",
            "a float is not exact",
        ),
        ({"capacity.income_cover": "1.105"}, "is not decimal(2)", "see iftah.FEATURES"),
        ({"identity.level": 4}, "out of bounds", "see iftah.FEATURES"),
        ({"identity.level": True}, "is not int", "see iftah.FEATURES"),
        ({"identity.level": [2]}, "is not int", "see iftah.FEATURES"),
        ({"identity.tenure_days": timedelta(hours=5)}, "is not duration", "see iftah.FEATURES"),
        ({"capacity.income_cover": Decimal("NaN")}, "is not decimal(2)", "see iftah.FEATURES"),
    ],
)
def test_an_invalid_value_is_rejected_with_a_hint(
    release: iftah.Release, values: dict[str, object], message: str, hint: str
) -> None:
    with pytest.raises(iftah.Rejected) as rejected:
        iftah.assess(release, values, as_of=DAY)
    assert message in rejected.value.message
    assert hint in rejected.value.hint


@pytest.mark.parametrize("as_of", ["2026-01-01", DAY, datetime(2025, 12, 31, 16, tzinfo=UTC), "2025-12-31T16:00:00Z"])
def test_a_day_is_that_of_the_rules_time_zone(release: iftah.Release, as_of: date | str) -> None:
    assert release.timezone == "Asia/Shanghai"  # eight hours ahead of UTC
    decision = iftah.decide(release, {}, perk="hotel", amount=1, as_of=as_of)
    assert datetime.fromisoformat(decision.question.as_of) == datetime(2025, 12, 31, 16, tzinfo=UTC)


@pytest.mark.parametrize("as_of", ["yesterday", "2026-13-01", "2026-01-01T25:00:00Z", datetime(2026, 1, 1)])
def test_an_invalid_moment_is_rejected(release: iftah.Release, as_of: date | str) -> None:
    with pytest.raises(iftah.Rejected) as rejected:
        iftah.assess(release, {}, as_of=as_of)
    assert rejected.value.where == "as_of"


@pytest.mark.parametrize("call", [iftah.decide, iftah.recourse])
def test_an_unknown_perk_is_rejected_with_the_known_ones(release: iftah.Release, call: object) -> None:
    amount = {"amount": 1} if call is iftah.decide else {}
    with pytest.raises(iftah.Rejected, match=r"unknown perk `hotl`.*hotel"):
        call(release, {}, perk="hotl", as_of=DAY, **amount)  # type: ignore[operator]


def test_recourse_for_a_perk_leads_to_its_tier(release: iftah.Release) -> None:
    values = {
        "identity.level": 2,
        "identity.tenure_days": 400,
        "credit.kept": 12,
        "credit.orders_kept": 2,
        "behaviour.payments": 80,
    }
    plan = iftah.recourse(release, values, as_of=DAY, perk="hotel")
    better = values | {step.feature: step.after for step in plan.steps}
    assert plan.reached
    assert iftah.assess(release, better, as_of=DAY).score == plan.scored.score


def test_features_of_events_are_values_as_people_write_them() -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    ann = {"contributor": "bank", "subject": "ann", "happened_at": start}
    events: list[dict[str, object]] = [
        ann | {"event_id": "1", "kind": "person.enrolled", "identity_level": 2},
        ann | {"event_id": "2", "kind": "consent.granted", "purpose": "perks", "classes": "identity,behaviour"},
    ]
    for number in range(40):
        paid = ann | {
            "event_id": f"p{number}",
            "kind": "payment.made",
            "other": "shop",
            "happened_at": start + timedelta(days=1 + 18 * number),
        }
        events.append(paid | {"amount": 1_000, "currency": "CNY", "category": "groceries", "channel": "card"})
    row = iftah.features(events, as_of=day).row(0, named=True)
    assert row["identity.tenure_days"] == 731
    assert row["behaviour.payments"] == 40
    decimals = {f.name: f.digits for f in iftah.FEATURES if f.type == "decimal" and row[f.name] is not None}
    assert {name: -row[name].as_tuple().exponent for name in decimals} == decimals
    assert iftah.assess(iftah.load_rules(ROOT / "rules"), row, as_of=day).parts


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"kind": "payment.maid"}, "payment.maid"),
        ({"knid": "payment.made"}, "unknown field `knid`"),
        ({"kind": "payment.made", "amount": "many"}, "the events do not fit"),
    ],
)
def test_an_invalid_event_is_rejected(event: dict[str, object], message: str) -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(iftah.Rejected) as rejected:
        iftah.visible(
            [{"contributor": "bank", "event_id": "1", "subject": "ann", "happened_at": day, **event}], as_of=day
        )
    assert message in str(rejected.value)
    assert rejected.value.code == "bad_event"
