"""Clients made from the OpenAPI document by tools of others drive a real server; linters of others find nothing in it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from api import clock
from api.access import tokens
from api.features import builds
from tests.api import warm
from tests.api.clients import judges
from tests.api.databases import Template
from tests.api.served import Server
from tests.openapi_document import DOCUMENT

# What every client sees happen, whatever language it is in.
STORY = {
    "consent": ["asked", "granted", "granted", 5],
    "eligibility": ["ADMIT", 50_000, True],
    "order": ["created", "in_service", "due", 40_000, "settled"],
    "errors": [
        [403, "no_consent", True],
        [422, "bad_amount", True],
        [404, "unknown_order", True],
        [401, "bad_token", True],
    ],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, settled: Template) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("served"), settled.file, warm.command, "serve")
    yield server
    server.stop()


def given(server: Server, place: int) -> dict[str, Any]:
    """What a client is started with; each has a person of its own."""
    made = builds.latest(server.database)
    assert made
    best = builds.scores(server.database, made).filter(pl.col("score").is_not_null()).sort("score", descending=True)
    person, now = str(best["person"][place]), clock.now()
    mine = tokens.issue(server.database, "subject", person, "me", now, clock.later(now, days=1)).secret
    return {
        **{"url": f"http://127.0.0.1:{server.port}", "merchant_token": server.token, "person_token": mine},
        **{"person": person, "perk": "hotel"},
    }


def test_the_client_of_openapi_python_client_works_and_is_made_without_a_warning(
    server: Server, tmp_path: Path
) -> None:
    binaries = judges.python()
    words = [
        "generate",
        "--path",
        DOCUMENT,
        "--config",
        judges.HERE / "generator.yaml",
        "--output-path",
        tmp_path / "made",
    ]
    made = judges.run([binaries / "openapi-python-client", *words, "--fail-on-warning"], tmp_path)
    assert "WARN" not in made.upper(), made
    story = judges.run(
        [binaries / "python", "-W", "error", judges.HERE / "drive.py"],
        tmp_path,
        stdin=json.dumps(given(server, 0)),
        PYTHONPATH=str(tmp_path / "made"),
    )
    assert json.loads(story) == STORY | {"listed": ["py-order"]}


def test_the_client_of_openapi_typescript_compiles_and_works(server: Server, tmp_path: Path) -> None:
    modules = judges.node() / "node_modules"
    (tmp_path / "node_modules").symlink_to(modules)
    for name in ("drive.ts", "tsconfig.json", "package.json"):
        shutil.copy(judges.HERE / name, tmp_path / name)
    judges.run([modules / ".bin" / "openapi-typescript", DOCUMENT, "-o", "schema.d.ts"], tmp_path)
    judges.run([modules / ".bin" / "tsc", "-p", "."], tmp_path)
    story = judges.run(["node", "made/drive.js", json.dumps(given(server, 1))], tmp_path)
    assert json.loads(story) == STORY | {"listed": ["ts-order"]}


def test_spectral_finds_nothing(tmp_path: Path) -> None:
    spectral = judges.node() / "node_modules" / ".bin" / "spectral"
    rules = ["--ruleset", judges.HERE / "spectral.yaml", "--fail-severity", "hint"]
    said = judges.run([spectral, "lint", DOCUMENT, *rules, "--format", "json"], tmp_path)
    assert said.startswith("[]"), said


def test_redocly_finds_nothing(tmp_path: Path) -> None:
    redocly = judges.node() / "node_modules" / ".bin" / "redocly"
    config = ["--config", judges.HERE / "redocly.yaml"]
    said = judges.run(
        [redocly, "lint", DOCUMENT, *config, "--format", "json"],
        tmp_path,
        REDOCLY_TELEMETRY="off",
        REDOCLY_SUPPRESS_UPDATE_NOTICE="true",
    )
    totals = json.loads(said[said.index("{") :])["totals"]
    assert (totals["errors"], totals["warnings"]) == (0, 0), said
