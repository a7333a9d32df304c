"""Seed data for an empty database: the Berka data set if you have its files, otherwise the synthetic town."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl

from api.evidence.load import LoadReport, Progress, load_frames, rejects_paths
from api.settings.settings import Settings
from api.store.database import Database
from engine.errors import Rejected
from graph.datasets import berka, town
from graph.evidence.vocabulary import EventVocabulary

# The last day with transactions of every account. Later the data set has only transactions before loans.
BERKA_AS_OF: Final = datetime(1994, 4, 1, tzinfo=UTC)


TimeSource = Callable[[], datetime]
Load = Callable[[Database, EventVocabulary, Progress | None, TimeSource], LoadReport]


@dataclass(frozen=True)
class SeedData:
    """A source of events, and the `as_of` for the scores of its people.

    `is_demo`: it is nobody's own evidence. `risks`: the probability by person that an order is overdue, where we know the truth.
    """

    name: str
    description: str
    as_of: datetime | None  # None: the time of the newest event
    load: Load
    is_demo: bool = False
    risks: Callable[[], Mapping[str, float]] | None = None


def choose_seed_data(settings: Settings) -> SeedData:
    """Choose the seed data by the settings. Raises Rejected `no_data` if the files are missing."""
    if settings.seed_evidence == "import":
        description = f"{settings.seed_file}, by {settings.seed_map}"
        return SeedData("import", description, None, _import(settings.seed_file, settings.seed_map))
    folder = settings.datasets_dir / berka.FOLDER
    has_berka = (folder / "account.asc").is_file()
    if settings.seed_evidence == "berka" and not has_berka:
        hint = "set IFTAH_DATASETS_DIR to the folder that holds it, or IFTAH_SEED_EVIDENCE=town"
        raise Rejected("the Berka data set is missing", where=str(folder), hint=hint, code="no_data")
    if has_berka and settings.seed_evidence != "town":
        description = f"Berka, a real Czech bank 1993-98, from {folder}"
        return SeedData("berka", description, BERKA_AS_OF, _frames(lambda: [berka.events(folder)]), is_demo=True)
    synthetic = town.town(settings.town_people, seed=settings.town_seed)
    description = f"the town, {settings.town_people:,} synthetic people, seed {settings.town_seed}"
    if settings.seed_evidence == "auto":
        description += f" (no Berka data set in {folder}: IFTAH_DATASETS_DIR says where to look)"
    return SeedData("town", description, town.END, _frames(synthetic.events), is_demo=True, risks=synthetic.risks)


def _frames(frames: Callable[[], Iterable[pl.DataFrame]]) -> Load:
    def load(
        database: Database, vocabulary: EventVocabulary, on_progress: Progress | None, now: TimeSource
    ) -> LoadReport:
        return load_frames(database, frames(), now=now, on_progress=on_progress, vocabulary=vocabulary)

    return load


def _import(file: Path, map_file: Path) -> Load:
    def load(
        database: Database, vocabulary: EventVocabulary, on_progress: Progress | None, now: TimeSource
    ) -> LoadReport:
        # We import these here, since no other start needs them.
        from api.evidence.imports.event_targets import event_targets
        from api.evidence.imports.file_sources import open_file
        from api.evidence.imports.importing import import_source, plan_import, read_map

        import_map, problems = read_map(map_file, event_targets(vocabulary))
        delimiter = import_map.delimiter.text if import_map.delimiter else None
        with open_file(file, delimiter=delimiter) as source:
            plan = plan_import(import_map, problems, vocabulary, source)
            return import_source(database, source, plan, rejects_paths(file), now=now, on_progress=on_progress)

    return load
