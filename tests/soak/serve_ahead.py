"""Serve with a clock that is ahead by the seconds in the file that `IFTAH_SOAK_CLOCK` names: `python -m tests.soak.serve_ahead`."""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from api.cli import main as commands
from api.store import clock

OFFSET: Final = "IFTAH_SOAK_CLOCK"


def main() -> None:
    """Serve."""
    file = Path(os.environ[OFFSET])
    clock.wall = lambda: datetime.now(UTC) + timedelta(seconds=float(file.read_text() or 0))
    clock._anchor = (clock.wall(), clock._seconds())
    sys.argv = ["iftah", "serve"]
    commands.main()


if __name__ == "__main__":
    main()
