"""How commands start: each imports only the modules that it needs, and the list of commands matches their help."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_group

from api.cli.main import COMMANDS, app
from tests.api.terminal import environment, run_in_process
from tests.paths import ROOT

# Libraries that take long to import, and our own modules that import them.
DATA_LIBRARIES = {"numpy", "polars", "narwhals", "duckdb", "pyarrow", "scipy", "networkx", "networkit"}
SERVER_LIBRARIES = {"sqlalchemy", "sqlmodel", "pydantic_settings", "fastapi", "uvicorn", "httpx2", "alembic", "rich"}
HEAVY = (
    DATA_LIBRARIES
    | SERVER_LIBRARIES
    | {"durable_rules_engine", "ruamel", "pydantic", "engine.lang.check.release", "graph.evidence.events"}
)
LEDGER = (DATA_LIBRARIES | SERVER_LIBRARIES | {"graph.evidence.events", "pydantic"}) - {"fastapi", "uvicorn"}
RULES = {"ruamel", "engine.lang.check.release"}
LIST_IMPORTS_SCRIPT = """
import json, sys
sys.argv = ["iftah", *sys.argv[1:]]
from api.cli.main import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)))
"""


def imported_modules(*args: str, folder: Path) -> set[str]:
    """All modules that a process has imported when the command ends."""
    command = [sys.executable, "-c", LIST_IMPORTS_SCRIPT, *args]
    env = environment(IFTAH_DATABASE_URL=f"sqlite:///{folder / 'iftah.db'}") | {"PYTHONPATH": str(ROOT)}
    completed = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(completed.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--help",), set[str]()),
        (("--version",), set[str]()),
        (("check",), RULES),
        (("fmt", "--check"), RULES),
        (("test",), RULES),
        (("schema", "perks"), RULES),
        (("settings",), {"pydantic", "pydantic_settings", "sqlalchemy", "rich"}),
        (("load", "--help"), LEDGER),
        (("import", "--help"), LEDGER | {"ruamel"}),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_a_command_imports_only_the_modules_it_needs(
    words: tuple[str, ...], expected: set[str], tmp_path: Path
) -> None:
    assert imported_modules(*words, folder=tmp_path) & HEAVY <= expected


def test_orders_tick_imports_no_web_framework(tmp_path: Path) -> None:
    assert (
        imported_modules("orders", "tick", folder=tmp_path) & {"fastapi", "starlette", "uvicorn", "api.http"} == set()
    )


def test_a_process_that_goes_on_after_a_check_can_release_its_objects() -> None:
    """Objects that are hidden from the garbage collector at exit are never released, and libraries report them as leaks."""
    script = """
import atexit, gc
from api.cli.main import app
app(["check", "rules/perks.yaml"], standalone_mode=False)
gc.unfreeze()
atexit._run_exitfuncs()
print(gc.get_freeze_count())
"""
    completed = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert completed.stdout.splitlines()[-1] == "0"


def test_the_list_of_commands_matches_their_help() -> None:
    tree = get_group(app)
    for entry in COMMANDS:
        command = tree.get_command(None, entry.name)  # type: ignore[arg-type]
        assert command is not None, entry.name
        help_text = " ".join((command.help or "").split("\n\n")[0].split())
        assert help_text == entry.help or help_text.startswith(f"{entry.help} "), entry.name


def test_the_version_is_printed() -> None:
    completed = run_in_process(("--version",), environment())
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, "iftah 0.1.0\n", "")


def test_an_unknown_command_gets_the_nearest_as_a_hint() -> None:
    completed = run_in_process(("chekc",), environment())
    assert completed.returncode == 2
    assert "No such command 'chekc'. Did you mean 'check'" in completed.stderr
    assert completed.stdout == ""
