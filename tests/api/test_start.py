"""How commands start: each imports what it needs and no more, and the list of commands says what they say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_group

from api.cli import COMMANDS, app
from tests.api.terminal import environment, in_process
from tests.api.world import ROOT

# Libraries that take long to import, and the parts of ours that bring them.
COLUMNS = {"numpy", "polars", "narwhals", "duckdb", "pyarrow", "scipy", "networkx", "networkit"}
SHELL = {"sqlalchemy", "sqlmodel", "pydantic_settings", "fastapi", "uvicorn", "httpx2", "alembic", "rich"}
HEAVY = COLUMNS | SHELL | {"durable_rules_engine", "ruamel", "pydantic", "engine.lang.check", "graph.events"}
RULES = {"ruamel", "engine.lang.check"}
SEEN = """
import json, sys
sys.argv = ["iftah", *sys.argv[1:]]
from api.cli import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)))
"""


def imported(*words: str, folder: Path) -> set[str]:
    """Everything that a process has imported when it ends which did what these words say."""
    command = [sys.executable, "-c", SEEN, *words]
    env = environment(IFTAH_DATABASE_URL=f"sqlite:///{folder / 'iftah.db'}") | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        (("--help",), set[str]()),
        (("--version",), set[str]()),
        (("check",), RULES),
        (("fmt", "--check"), RULES),
        (("test",), RULES),
        (("schema", "perks"), RULES),
        (("settings",), {"pydantic", "pydantic_settings", "sqlalchemy", "rich"}),
        (("load", "--help"), (COLUMNS | SHELL | {"graph.events", "pydantic"}) - {"fastapi", "uvicorn"}),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_a_command_imports_only_what_it_needs(words: tuple[str, ...], needed: set[str], tmp_path: Path) -> None:
    assert imported(*words, folder=tmp_path) & HEAVY <= needed


def test_the_list_of_commands_says_what_they_say_of_themselves() -> None:
    tree = get_group(app)
    for entry in COMMANDS:
        command = tree.get_command(None, entry.name)  # type: ignore[arg-type]
        assert command is not None, entry.name
        said = " ".join((command.help or "").split("\n\n")[0].split())
        assert said == entry.help or said.startswith(f"{entry.help} "), entry.name


def test_the_version_is_said() -> None:
    done = in_process(("--version",), environment())
    assert (done.returncode, done.stdout, done.stderr) == (0, "iftah 0.1.0\n", "")


def test_of_a_command_that_is_none_the_nearest_is_said() -> None:
    done = in_process(("chekc",), environment())
    assert done.returncode == 2
    assert "No such command 'chekc'. Did you mean 'check'" in done.stderr
    assert done.stdout == ""
