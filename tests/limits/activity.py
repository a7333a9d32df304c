"""Measure how long the simulated activity of a new demo database takes: `python -m tests.limits.activity [town|berka]`.

It should take at most 20 s on two idle cores. We use a database of its own in a temporary folder.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console

from api.demo.history import DemoHistory
from api.render import present
from api.runtime import bootstrap
from api.settings.settings import Settings
from api.telemetry.progress import ProgressReporter

LIMIT_SECONDS: Final = 20.0


def main(evidence: str = "town") -> None:
    """Print the stages of a first start, and the limit beside the seconds of the activity."""
    console, timer = Console(highlight=False), bootstrap.StageTimer()
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'iftah.db'}"
        config = Settings.model_validate({"database_url": url, "seed_evidence": evidence})
        bootstrap.bootstrap(config, ProgressReporter(console), timer, DemoHistory())
    console.print(present.stages(timer.timings))
    seconds = next(seconds for name, seconds, _ in timer.timings if name == "activity")
    console.print(f"activity: {seconds:.1f} s, wanted: at most {LIMIT_SECONDS:.0f} s")


if __name__ == "__main__":
    main(*sys.argv[1:2])
