"""A hint over HTTP names routes: we look at every text outside of the terminal's commands that names a command or an option."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from api.http.hints import for_http
from tests.api.http.proposal_client import ProposalClient, rental_context, rental_files
from tests.api.merchant_client import assert_problem
from tests.paths import ROOT

# Builds by Spark and from files: commands alone.
COMMANDS_ALONE = {"spark_session.py", "spark_places.py", "spark_build.py", "file_build.py", "stages.py"}
SOURCES = [
    path
    for folder in ("api/proposals", "api/releases", "api/decisions", "api/features", "api/supervision", "api/access")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.name not in COMMANDS_ALONE
]
COMMAND = re.compile(r"`iftah |(?<!\w)(?:--[a-z]{2}|-m\b)")


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a file with their lines, `7` in the place of each value; no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(str(p.value) if isinstance(p, ast.Constant) else "7" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (docstrings | parts):
            yield node.lineno, node.value


# Texts of the terminal alone: of `iftah diff`, `iftah audit verify`, files of keys, and the process of the probe.
TERMINAL = {
    "--since",
    "--prove",
    "name a period with `--since` and `--until`",
    "use the output of `iftah audit proof`",
    "name another file: --out",
    "name the file of your key: --key, or IFTAH_KEY",
    "-P",
    "-m",
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_hint_over_http_names_a_command_that_the_caller_could_take_by_a_route(path: Path) -> None:
    for line, text in texts(path):
        if text in TERMINAL or not COMMAND.search(text):
            continue
        hint = re.sub(r"an administrator runs `[^`]*`", "", for_http(text))
        assert not COMMAND.search(hint), f"{path.name}:{line} {text!r} -> {for_http(text)!r}"


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ("see `iftah releases 12`", "see GET /v1/proposals/12"),
        ("measure it again: `iftah measure 3`", "measure it again: POST /v1/proposals/3/measurement"),
        ("propose it anew: `iftah propose --revise 3`", "propose it anew: PUT /v1/proposals/3"),
        ("end it first: `iftah break-glass --end`", "end it first: DELETE /v1/releases/break-glass"),
        ("write the 64 hex digits that `iftah key new` prints", "write the 64 hex digits of your public key"),
        ("say why: -m", "say why"),
        ("see `iftah token list`, or GET /v1/tokens", "see GET /v1/tokens"),
        ("run `iftah build`", "an administrator runs `iftah build`"),
        ("let somebody approve it who did not", "let somebody approve it who did not"),
    ],
)
def test_a_command_becomes_its_route(hint: str, expected: str) -> None:
    assert for_http(hint) == expected


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_problems_name_routes(database: Engine) -> None:
    client = ProposalClient(rental_context(database))
    missing = assert_problem(client.wang.send("GET", "proposals/7"), 404, "unknown_proposal")
    assert missing["hint"] == "see GET /v1/proposals and GET /v1/releases"
    number = client.draft(rental_files(80))
    early = assert_problem(client.wang.post(f"proposals/{number}/measurement"), 409, "wrong_proposal_state")
    assert early["hint"] == f"see GET /v1/proposals/{number}"
    back = assert_problem(client.wang.post("releases/rollback", {"reason": "back"}), 409, "never_in_force")
    assert back["hint"] == "see GET /v1/proposals and GET /v1/releases"
