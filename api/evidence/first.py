"""What an empty database is filled with: Berka where its files are, else the synthetic town."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl

from api.settings import Settings
from engine.errors import Refused
from graph.sources import berka, town

# The last day for which the data set has every account's transactions: later ones are only those before a loan.
BERKA_AS_OF: Final = datetime(1994, 4, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Evidence:
    """A source of events, and the moment as of which its people are scored."""

    name: str
    about: str
    as_of: datetime
    frames: Callable[[], Iterable[pl.DataFrame]]


def chosen(settings: Settings) -> Evidence:
    """The evidence that the settings ask for. Raises Refused when it is not there."""
    folder = settings.data / berka.FOLDER
    there = (folder / "account.asc").is_file()
    if settings.evidence == "berka" and not there:
        hint = "set IFTAH_DATA to the folder that holds it, or IFTAH_EVIDENCE=town"
        raise Refused("the Berka data set is not there", where=str(folder), hint=hint, code="no_data")
    if there and settings.evidence != "town":
        about = f"Berka, a real Czech bank 1993-98, from {folder}"
        return Evidence("berka", about, BERKA_AS_OF, lambda: [berka.events(folder)])
    made = town.town(settings.town_people, seed=settings.town_seed)
    about = f"the town, {settings.town_people:,} synthetic people, seed {settings.town_seed}"
    if settings.evidence == "auto":
        about += f" (no Berka data set in {folder}: IFTAH_DATA says where to look)"
    return Evidence("town", about, town.END, made.events)
