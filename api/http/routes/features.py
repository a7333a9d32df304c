"""Routes for operators: the catalogue of features."""

from datetime import datetime
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.http.dependencies import ContextDep, Now, Operator
from api.http.fields import DataClass
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.me import Language
from api.http.routes.page import Page
from api.people.languages import choose_language
from api.settings.settings import settings
from api.store.database import reading
from api.supervision.feature_catalogue import CatalogueEntry, CountedValues, list_catalogue

router = APIRouter(prefix="/v1/features", tags=["operators"], route_class=LanedRoute)


class FeatureUseView(BaseModel):
    """A rule that reads a feature."""

    place: str = Field(description="scorable, characteristic, rule, knockout, tier, hold or feature")
    id: str
    perk: str | None


class DistributionBin(BaseModel):
    """A bin of values, as people write them: from `low` up to, but not including, `high`; or one `word`."""

    low: str | None
    high: str | None
    word: str | None
    people: int | None = Field(description="null: so few that we do not show it, or it would reveal such a number")


class FeatureDrift(BaseModel):
    """How far the distribution moved since the build before."""

    index: float = Field(description="the population stability index over the bins")
    verdict: str = Field(description="stable, watch or act")
    by_chance: float = Field(description="the index that two samples of one population have on average")
    since: datetime | None


class FeatureDistribution(BaseModel):
    """The values of a feature in the newest build."""

    build: int
    as_of: datetime
    people: int
    share_missing: float | None = Field(description="of all people; null: too few to show")
    bins: list[DistributionBin]
    drift: FeatureDrift | None = Field(description="null: no earlier build has the same bins")

    @classmethod
    def of(cls, distribution: CountedValues) -> Self:
        """The distribution of a build."""
        drift = distribution.drift
        return cls(
            build=distribution.build,
            as_of=distribution.as_of,
            people=distribution.people,
            share_missing=distribution.share_missing,
            bins=[DistributionBin(**vars(bin_)) for bin_ in distribution.bins],
            drift=None
            if drift is None
            else FeatureDrift(
                index=drift.index, verdict=drift.verdict, by_chance=drift.by_chance, since=distribution.drift_since
            ),
        )


class CatalogueFeature(BaseModel):
    """A feature that rules can name."""

    feature: str
    dimension: str
    about: str = Field(description="what it says, in your language")
    type: str
    unit: str
    low: str = Field(description="the lowest value, as people write it; empty: it is no number")
    high: str
    direction: str
    data_classes: list[DataClass] = Field(description="the classes of evidence that it needs a consent to")
    window: str = Field(description="the period before the moment of a value that it covers")
    missing: str = Field(description="when it has no value")
    scope: str = Field(description="local: of the person and the people around; global: of a whole network")
    effort: int | None = Field(description="how hard it is for a person to improve it, 1 to 4; null: they cannot")
    definition: str = Field(description="its lines in the rule files; empty: Python computes it, see `formula`")
    formula: str
    reference: str
    uses: list[FeatureUseView] = Field(description="in the rules in force; empty: no rule reads it")
    distribution: FeatureDistribution | None = Field(description="null: no build was counted yet")

    @classmethod
    def of(cls, entry: CatalogueEntry) -> Self:
        """An entry of the catalogue."""
        line, distribution = entry.line, entry.distribution
        return cls(
            feature=line.name,
            dimension=line.dimension,
            about=line.about,
            type=line.type,
            unit=line.unit,
            low=entry.low,
            high=entry.high,
            direction=line.direction,
            data_classes=list(entry.classes),
            window=line.window,
            missing=line.missing,
            scope=line.scope,
            effort=line.effort,
            definition=entry.definition,
            formula=line.formula,
            reference=line.reference,
            uses=[FeatureUseView(**vars(use)) for use in entry.uses],
            distribution=None if distribution is None else FeatureDistribution.of(distribution),
        )


class CatalogueFeatures(Page[CatalogueFeature]):
    """All features that rules can name: those that the rule files declare, then the others."""


@router.get("", responses=error_responses())
def list_catalogue_features(context: ContextDep, _: Operator, now: Now, language: Language = None) -> CatalogueFeatures:
    """List the features with their meaning, their distribution in the newest build, and the rules that read them."""
    program = context.release.at(context.day(now))
    words = choose_language(language, program.languages)
    with reading(context.database) as connection:
        entries = list_catalogue(connection, context.release, program, words, settings().report_smallest_group)
    return CatalogueFeatures(items=[CatalogueFeature.of(entry) for entry in entries])
