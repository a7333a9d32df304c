"""The catalogue of features: what each is, where the rules read it, how its values are distributed, and how far they drifted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from api.features import figures
from api.features.figures import FeatureFigures
from api.releases.feature_lines import feature_line, feature_names
from api.store.clock import moment
from api.store.tables import BUILDS
from api.supervision.report import hidden_values
from engine.decide.feature_uses import FeatureUse, feature_uses
from engine.lang.model.program import Program, Release
from engine.lang.model.types import Type, format_value
from engine.lang.syntax.rule_places import rule_places
from engine.verify.stability import Shift, shift
from graph.catalog import Feature

MISSING: Final = "missing"


@dataclass(frozen=True)
class ValueBin:
    """A bin of values, as people write them: from `low` up to, but not including, `high`; or one `word`. `people` is None
    where so few would tell something about one of them.
    """

    low: str | None
    high: str | None
    word: str | None
    people: int | None


@dataclass(frozen=True)
class CountedValues:
    """The distribution of a feature in a build. `drift` is None without an earlier build of the same bins."""

    build: int
    as_of: datetime
    people: int
    share_missing: float | None
    bins: tuple[ValueBin, ...]
    drift: Shift | None
    drift_since: datetime | None


@dataclass(frozen=True)
class CatalogueEntry:
    """A feature with its bounds as people write them, its lines in the rules (empty: Python computes it), and its uses."""

    line: Feature
    low: str
    high: str
    classes: tuple[str, ...]
    definition: str
    uses: tuple[FeatureUse, ...]
    distribution: CountedValues | None


@dataclass(frozen=True)
class _BuildFigures:
    id: int
    as_of: datetime
    by_feature: Mapping[str, FeatureFigures]


def list_catalogue(
    connection: Connection, release: Release, program: Program, language: str, smallest: int
) -> list[CatalogueEntry]:
    """List the features that rules can name. We hide the number of a bin with fewer than `smallest` people."""
    uses, definitions = feature_uses(program), _definitions(release)
    newest = _build_figures(connection, figures.newest(connection))
    earlier = None if newest is None else _build_figures(connection, figures.before(connection, newest.id))
    entries = []
    for name in feature_names(program):
        line, attribute = feature_line(program, name, language), program.schema[name]
        entries.append(
            CatalogueEntry(
                line=line,
                low=format_value(attribute.type.low, attribute.type) if attribute.type.numeric else "",
                high=format_value(attribute.type.high, attribute.type) if attribute.type.numeric else "",
                classes=tuple(sorted(attribute.classes)),
                definition=definitions.get(name, ""),
                uses=uses.get(name, ()),
                distribution=_distribution(name, attribute.type, newest, earlier, smallest),
            )
        )
    return entries


def _definitions(release: Release) -> dict[str, str]:
    """The lines of the rule files that declare each feature."""
    return {
        place.id: "\n".join(release.files[place.file].splitlines()[place.first - 1 : place.last])
        for place in rule_places(release.files)
        if place.kind == "features"
    }


def _build_figures(
    connection: Connection, figures_of_build: tuple[int, list[FeatureFigures]] | None
) -> _BuildFigures | None:
    if figures_of_build is None:
        return None
    as_of = connection.execute(select(BUILDS.c.as_of).where(BUILDS.c.id == figures_of_build[0])).scalar_one()
    return _BuildFigures(figures_of_build[0], moment(as_of), {f.feature: f for f in figures_of_build[1]})


def _distribution(
    name: str, type_: Type, newest: _BuildFigures | None, earlier: _BuildFigures | None, smallest: int
) -> CountedValues | None:
    now = newest.by_feature.get(name) if newest else None
    if newest is None or now is None:
        return None
    reference = earlier.by_feature.get(name) if earlier else None
    counts = _counts(now)
    hidden = hidden_values({bin_: n for bin_, n in counts.items() if n}, smallest)
    drift = _drift(now, reference)
    return CountedValues(
        build=newest.id,
        as_of=newest.as_of,
        people=now.people,
        share_missing=None if MISSING in hidden or not now.people else round(now.missing / now.people, 3),
        bins=tuple(
            replace(bin_, people=None) if text in hidden else bin_
            for text, bin_ in zip(now.names, _bins(now, type_), strict=True)
        ),
        drift=drift,
        drift_since=earlier.as_of if earlier and drift else None,
    )


def _counts(figures_: FeatureFigures) -> dict[str, int]:
    return dict(zip(figures_.names, figures_.counts, strict=True)) | {MISSING: figures_.missing}


def _drift(now: FeatureFigures, reference: FeatureFigures | None) -> Shift | None:
    """The drift over the same bins; None where they differ, or where one build has nobody."""
    if reference is None or reference.edges != now.edges or not (now.people and reference.people):
        return None
    result = shift(_counts(now), _counts(reference))
    return replace(result, index=round(result.index, 6), by_chance=round(result.by_chance, 6))


def _bins(figures_: FeatureFigures, type_: Type) -> list[ValueBin]:
    if figures_.words:
        return [ValueBin(None, None, word, n) for word, n in zip(figures_.words, figures_.counts, strict=True)]
    bounds = [None, *(format_value(edge, type_) for edge in figures_.edges), None]
    return [ValueBin(low, high, None, n) for low, high, n in zip(bounds, bounds[1:], figures_.counts, strict=False)]
