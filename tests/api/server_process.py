"""A server in a separate process, and the folder of rules that it follows."""

import json
import os
import re
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
from sqlalchemy import text

from api.access import tokens
from api.evidence import ledger
from api.features import builds
from api.merchants import services
from api.merchants.services import Terms
from api.releases import releases, rules_folder
from api.store import clock
from api.store.database import open_database, reading
from tests.api import fork_server
from tests.api.merchant_client import consent_events
from tests.paths import ROOT


class IsolatedServer:
    """A server in a separate process, with its own database and its own rules folder."""

    def __init__(self, folder: Path, database: Path, target: Callable[..., None], *args: Any) -> None:
        self.rules, self.log = folder / "rules", folder / "log"
        shutil.copytree(ROOT / "rules", self.rules, ignore=shutil.ignore_patterns("*.cases.yaml"))
        shutil.copy(database, folder / "iftah.db")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        base_environment = {k: v for k, v in os.environ.items() if not k.startswith("IFTAH_") or k == "IFTAH_ANCHORS"}
        overrides = {"IFTAH_DATABASE_URL": f"sqlite:///{folder / 'iftah.db'}", "IFTAH_RULES": str(self.rules)}
        self.environment = base_environment | overrides | {"IFTAH_PORT": str(self.port)}
        self.database = open_database(overrides["IFTAH_DATABASE_URL"])
        now = clock.now()
        self.token = tokens.issue(self.database, "merchant", "inn", "inn", now, clock.add_days(now, days=1)).secret
        services.sign_up(self.database, "inn", "hotel", Terms("hotel"), now)
        ledger.append(self.database, consent_events(self.people(), "inn", "hotel", now), now)
        self.process = fork_server.Process(self.log, self.environment, target, *args)
        self.wait_until(lambda health: bool(health))

    def edit(self, file: str, *change: str) -> None:
        path = self.rules / file
        content = path.read_text(encoding="utf-8")
        assert content.count(change[0]) == 1
        path.write_text(content.replace(*change), encoding="utf-8")

    def rebase(self, delta: int = 1) -> tuple[str, str]:
        """Another release, and what was written for what."""
        base = int(re.findall(r"\bbase: (\d+)", (self.rules / "trust.yaml").read_text())[0])
        change = f"base: {base}", f"base: {base + delta}"
        self.edit("trust.yaml", *change)
        return change

    def wait_for_new_release(self, before: str) -> dict[str, Any]:
        """Wait until another release is in force, and return the health."""
        return self.wait_until(lambda health: health["release"] != before)

    def restore(self) -> None:
        """Make the folder equal to the release in force, also after a failed test."""
        files = releases.load_release(self.database, self.health()["release"]).files
        if {name: path.read_text(encoding="utf-8") for name, path in rules_folder.rule_paths(self.rules)} != files:
            shutil.rmtree(self.rules, ignore_errors=True)
            for name, content in files.items():
                (self.rules / name).parent.mkdir(parents=True, exist_ok=True)
                (self.rules / name).write_text(content, encoding="utf-8")
        self.wait_until(lambda health: health["rules_refused"] is None)

    def health(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v1/health", timeout=30) as response:
            payload: dict[str, Any] = json.load(response)
        assert payload["status"] == "ready"
        return payload

    def wait_until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the health satisfies the condition, and return it."""
        health: dict[str, Any] = {}
        for _ in range(1_200):
            try:
                health = self.health()
                if condition(health):
                    return health
            except OSError:
                assert self.process.poll() is None, self.log_lines()
            time.sleep(0.05)
        pytest.fail(f"health never said it, but {health}\n{self.log_lines()}")

    def wait_for_rejection(self) -> list[str]:
        """Wait until the server rejects the folder, and return the messages."""
        rejection = self.wait_until(lambda health: health["rules_refused"] is not None)["rules_refused"]
        assert rejection["problems"] >= len(rejection["first"]) >= 1
        assert datetime.fromisoformat(rejection["at"]).tzinfo
        return [str(line) for line in rejection["first"]]

    def ask(self, subject: str) -> dict[str, Any]:
        question = {"transaction_id": uuid4().hex, "service": "hotel", "subject": subject, "amount": 50_000}
        body = json.dumps(question).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/eligibility", body, headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            decision: dict[str, Any] = json.load(response)
        return decision

    def people(self) -> list[str]:
        build = builds.latest_build(self.database)
        assert build
        scores = builds.scores(self.database, build)
        return [str(p) for p in scores.filter(pl.col("score").is_not_null())["person"]]

    def records(self) -> list[dict[str, Any]]:
        """All decision records, in order."""
        with reading(self.database) as connection:
            rows = connection.execute(text("select record from decision_subjects order by seq")).scalars()
            return [json.loads(row) for row in rows]

    def log_lines(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines()

    def stop(self) -> None:
        self.process.kill()
        self.database.dispose()
