"""The drift of the population: the score and each characteristic of the newest build against an earlier one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from api.features import population
from api.features.population import (
    BAND_MEASURE,
    MISSING,
    POINTS_PREFIX,
    SCORE_MEASURE,
    UNSCORABLE,
    Counts,
    PopulationCounts,
)
from api.supervision.report import hidden_values
from engine.lang.model.program import Characteristic, Program
from engine.lang.model.types import Type, format_value
from engine.verify.stability import Shift, shift

REFERENCE_AGE: Final = timedelta(days=90)  # of the build to compare with, if there is one as old


@dataclass(frozen=True)
class PopulationBuild:
    """A build whose people we counted by bin."""

    id: int
    computed_at: datetime
    release: str
    people: int


@dataclass(frozen=True)
class PopulationBin:
    """A bin of a measure, as people read it: `< 1`, `1 – 6`, `≥ 24`, `missing`; of the score, its lowest number. A number is None where it is too small to show, or would reveal one that is."""

    name: str
    people: int | None
    reference_people: int | None
    points: int | None = None


@dataclass(frozen=True)
class MeasureDrift:
    """A measure with its bins in order. `shift` is None without a reference, or if the bins have changed since.

    `bins_changed`: the scorecard cuts this characteristic at other places than at the reference.
    """

    name: str
    feature: str | None
    bins: tuple[PopulationBin, ...]
    shift: Shift | None
    bins_changed: bool = False


@dataclass(frozen=True)
class BandStart:
    """The lowest score of a band."""

    band: str
    lowest: int


@dataclass(frozen=True)
class PopulationDrift:
    """The newest build, the one to compare it with, and the drift of the score, the bands and each characteristic."""

    build: PopulationBuild
    reference: PopulationBuild | None
    score: MeasureDrift
    bands: MeasureDrift
    characteristics: tuple[MeasureDrift, ...]
    band_starts: tuple[BandStart, ...]


def population_drift(
    connection: Connection, program: Program, smallest: int, age: timedelta = REFERENCE_AGE
) -> PopulationDrift | None:
    """The drift by the bins of the scorecard in force; None before the first build that was counted. `age`: of the reference.

    We hide the number of a bin with fewer than `smallest` people.
    """
    now = population.newest(connection)
    if now is None:
        return None
    reference = population.reference_of(connection, now, age)
    card = program.scorecard
    widths = range(card.lowest, card.highest + 1, population.SCORE_WIDTH)
    both = (now, reference)
    bands = [*(band.name for band in card.bands), UNSCORABLE]
    return PopulationDrift(
        build=_build(now),
        reference=None if reference is None else _build(reference),
        score=_drift(_BinnedMeasure(SCORE_MEASURE, [*map(str, widths), UNSCORABLE]), both, smallest),
        bands=_drift(_BinnedMeasure(BAND_MEASURE, bands), both, smallest),
        characteristics=tuple(
            _drift(
                _BinnedMeasure(
                    POINTS_PREFIX + item.id, population.bin_names(item), item, program.schema[item.feature].type
                ),
                both,
                smallest,
            )
            for item in card.items
            if isinstance(item, Characteristic)
        ),
        band_starts=tuple(BandStart(band.name, band.lowest) for band in card.bands),
    )


@dataclass(frozen=True)
class _BinnedMeasure:
    """What was counted: its name among the counts, its bins in order, and its characteristic with the type of the feature."""

    name: str
    bins: Sequence[str]
    item: Characteristic | None = None
    type: Type | None = None

    def text(self, bin_: str) -> str:
        return bin_ if self.type is None else bin_text(bin_, self.type)


def bin_text(name: str, type_: Type) -> str:
    """A bin of a characteristic as people read it: `< 1`, `1 – 6`, `≥ 24`, in the unit of the feature."""
    if name == MISSING:
        return name
    low, _, high = name.partition("..")
    texts = [format_value(int(end), type_) if end else "" for end in (low, high)]
    return f"< {texts[1]}" if not low else f"≥ {texts[0]}" if not high else f"{texts[0]} – {texts[1]}"


def _build(population_counts: PopulationCounts) -> PopulationBuild:
    return PopulationBuild(
        population_counts.build, population_counts.computed_at, population_counts.release, population_counts.people
    )


def _drift(
    measure: _BinnedMeasure, populations: tuple[PopulationCounts, PopulationCounts | None], smallest: int
) -> MeasureDrift:
    now, reference = (None if one is None else one.bins.get(measure.name, {}) for one in populations)
    item, names = measure.item, measure.bins
    points = None if item is None else dict(zip(names, (*item.points, item.missing), strict=True))
    changed = item is not None and any(bin_ not in names for counts in (now, reference) for bin_ in counts or {})
    current, earlier = (_publishable(counts, names, smallest) for counts in (now, reference))
    return MeasureDrift(
        name=item.id if item else measure.name,
        feature=item.feature if item else None,
        bins=tuple(
            PopulationBin(measure.text(name), current[name], earlier[name], None if points is None else points[name])
            for name in names
        ),
        shift=_shift(now, reference, points) if now and reference and not changed else None,
        bins_changed=changed,
    )


def _publishable(counts: Counts | None, names: Sequence[str], smallest: int) -> Mapping[str, int | None]:
    """The counts without those that are too small. Nobody in a bin is no small group."""
    if counts is None:
        return dict.fromkeys(names)
    hidden = hidden_values(counts, smallest)
    return {name: None if name in hidden else counts.get(name, 0) for name in names}


def _shift(now: Counts, reference: Counts, points: Mapping[str, int] | None) -> Shift:
    exact = shift(now, reference, points)
    return replace(exact, index=round(exact.index, 6), by_chance=round(exact.by_chance, 6))
