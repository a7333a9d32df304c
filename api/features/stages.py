"""Stages of a build on disk: a build that was stopped goes on from its last finished stage.

A stage writes into a folder of its own, which gets its name when it is complete. So a folder with the name of a stage is whole,
whenever the process was killed. A stage of another build, by its identity, does not count.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

RESULTS: Final = ("features", "scores", "build")
_IDENTITY: Final = "identity.json"


@dataclass(frozen=True)
class Stages:
    """The stages of a build in a folder for results: `OUT/_stages`."""

    out: Path
    identity: dict[str, object]

    @property
    def folder(self) -> Path:
        """The folder with all stages."""
        return self.out / "_stages"

    def path(self, name: str) -> Path:
        """The folder of a stage that is done."""
        return self.folder / name

    def begin(self, known_at: datetime) -> datetime:
        """Keep the stages of the same build, or delete those of another and its results.

        Returns the `known_at` with which the build began: that of the first start counts.
        """
        file = self.folder / _IDENTITY
        if file.exists():
            stored = json.loads(file.read_text(encoding="utf-8"))
            if stored["identity"] == self.identity:
                return datetime.fromisoformat(stored["known_at"])
        for folder in (self.folder, *(self.out / name for name in RESULTS)):
            shutil.rmtree(folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps({"identity": self.identity, "known_at": known_at.isoformat()}), encoding="utf-8")
        partial.replace(file)
        return known_at

    def is_done(self, name: str) -> bool:
        """Whether a stage is complete."""
        return self.path(name).is_dir()

    @contextmanager
    def stage(self, name: str) -> Iterator[Path]:
        """Do a stage: write into this folder. It counts once you leave the block."""
        partial = self.folder / f"{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        yield partial
        partial.replace(self.path(name))

    def is_written(self, number: int) -> bool:
        """Whether the results of a partition are there: we write scores last."""
        return (self.out / "scores" / f"part={number}").is_dir()

    def write_partition(self, number: int, features: pl.DataFrame, scores: pl.DataFrame) -> None:
        """Write the results of a partition, each complete or not at all."""
        for name, rows in (("features", features), ("scores", scores)):
            place = self.out / name / f"part={number}"
            shutil.rmtree(place, ignore_errors=True)
            partial = self.folder / f"{name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            rows.write_parquet(partial / "rows.parquet")
            place.parent.mkdir(exist_ok=True)
            partial.replace(place)

    def finish(self, line: str) -> None:
        """Write what was built, and delete the stages."""
        place = self.out / "build"
        place.mkdir(exist_ok=True)
        pl.DataFrame({"build": [line]}).write_parquet(place / "rows.parquet")
        shutil.rmtree(self.folder)
