"""What a usual run leaves out runs in `make agreement`."""

import re
from pathlib import Path

from tests.api.databases_by_turns import TURN_FOLDERS
from tests.paths import ROOT

LEAVES_OUT = re.compile(r"^from tests\.effort import |^from tests import effort", re.MULTILINE)


def agreement_paths() -> list[Path]:
    """The files and folders that `make agreement` runs."""
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nagreement:")[2].partition("\n\n")[0]
    return [ROOT / path for path in re.findall(r"\btests/[\w/.]+", recipe)]


def test_each_file_that_leaves_something_out_is_run_in_full() -> None:
    paths = agreement_paths()
    assert [str(path) for path in paths if not path.exists()] == []
    files = [p for p in (ROOT / "tests").rglob("test_*.py") if LEAVES_OUT.search(p.read_text(encoding="utf-8"))]
    assert len(files) > 30
    folders = [ROOT / "tests" / "api" / name for name in TURN_FOLDERS]
    places = [*files, *folders]
    assert [str(f.relative_to(ROOT)) for f in places if not any(f == p or p in f.parents for p in paths)] == []
