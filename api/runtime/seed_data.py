"""Seed data for an empty database: the Berka data set if you have its files, otherwise the synthetic town."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl

from api.settings.settings import Settings
from engine.errors import Rejected
from graph.datasets import berka, town

# The last day with transactions of every account. Later the data set has only transactions before loans.
BERKA_AS_OF: Final = datetime(1994, 4, 1, tzinfo=UTC)


@dataclass(frozen=True)
class SeedData:
    """A source of events, and the `as_of` for the scores of its people."""

    name: str
    description: str
    as_of: datetime
    frames: Callable[[], Iterable[pl.DataFrame]]


def choose_seed_data(settings: Settings) -> SeedData:
    """Choose the seed data by the settings. Raises Rejected `no_data` if the files are missing."""
    folder = settings.datasets_dir / berka.FOLDER
    has_berka = (folder / "account.asc").is_file()
    if settings.seed_evidence == "berka" and not has_berka:
        hint = "set IFTAH_DATASETS_DIR to the folder that holds it, or IFTAH_SEED_EVIDENCE=town"
        raise Rejected("the Berka data set is missing", where=str(folder), hint=hint, code="no_data")
    if has_berka and settings.seed_evidence != "town":
        description = f"Berka, a real Czech bank 1993-98, from {folder}"
        return SeedData("berka", description, BERKA_AS_OF, lambda: [berka.events(folder)])
    synthetic = town.town(settings.town_people, seed=settings.town_seed)
    description = f"the town, {settings.town_people:,} synthetic people, seed {settings.town_seed}"
    if settings.seed_evidence == "auto":
        description += f" (no Berka data set in {folder}: IFTAH_DATASETS_DIR says where to look)"
    return SeedData("town", description, town.END, synthetic.events)
