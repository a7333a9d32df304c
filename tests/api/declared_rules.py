"""A rules folder of another line of business: bicycles that are hired, brought back, rated and damaged."""

from functools import cache
from pathlib import Path
from typing import Final

from engine.lang.check.release import release_of
from engine.lang.model.program import Release
from graph.evidence.vocabulary import EventVocabulary
from iftah.catalogue import kinds, schema, vocabulary_of
from iftah.rules_folder import load_folder
from tests.paths import ROOT

SHIPPED: Final = ROOT / "rules"
RENTAL_KINDS: Final = """\
  - id: rental.returned
    about: The subject brought a hired thing back to the other party
    class: behaviour
    other: required
    counts_for: each
    years: 3
    fields:
      item: {type: text, required: true}
      days_late: {type: int}
      rating: {type: decimal, digits: 1, low: 0, high: 5}
      damage: {type: money}
      helmet: {type: bool}
      size: {type: enum, values: [small, large]}
      picked_up: {type: moment}
      promised: {type: date}
      keeper: {type: party}
  - id: rental.stolen
    about: The subject did not bring a hired thing back
    class: behaviour
    other: required
    adverse: true
    fields:
      item: {type: text, required: true}
"""


def rental_files(kinds: str = RENTAL_KINDS) -> dict[str, str]:
    """The shipped rule files, with further kinds of events."""
    paths = (*SHIPPED.glob("*.yaml"), *SHIPPED.glob("lists/*.yaml"))
    files = {path.relative_to(SHIPPED).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    return {**files, "evidence.yaml": files["evidence.yaml"] + kinds}


def write_rental_rules(folder: Path, kinds: str = RENTAL_KINDS) -> Path:
    """Write the files into a folder."""
    for name, text in rental_files(kinds).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def rental_release(folder: Path) -> Release:
    """The release of these rules."""
    return load_folder(write_rental_rules(folder))


@cache
def rental_vocabulary() -> EventVocabulary:
    """The vocabulary of these rules."""

    return vocabulary_of(release_of(rental_files(), schema(), kinds()).evidence)
