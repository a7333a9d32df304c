"""A server in a process of its own, and the folder of rules that it follows."""

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

from api import clock, services
from api.access import tokens
from api.database import open_database, reading
from api.evidence import ledger
from api.features import builds
from api.releases import releases, rules_folder
from api.services import Terms
from tests.api import warm
from tests.api.door import consents
from tests.api.world import ROOT


class Server:
    """A server in a process of its own, with a database and a rules folder of its own."""

    def __init__(self, folder: Path, database: Path, work: Callable[..., None], *given: Any) -> None:
        self.rules, self.log = folder / "rules", folder / "log"
        shutil.copytree(ROOT / "rules", self.rules, ignore=shutil.ignore_patterns("*.cases.yaml"))
        shutil.copy(database, folder / "iftah.db")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        clean = {k: v for k, v in os.environ.items() if not k.startswith("IFTAH_")}
        own = {"IFTAH_DATABASE_URL": f"sqlite:///{folder / 'iftah.db'}", "IFTAH_RULES": str(self.rules)}
        self.environment = clean | own | {"IFTAH_PORT": str(self.port)}
        self.database = open_database(own["IFTAH_DATABASE_URL"])
        now = clock.now()
        self.token = tokens.issue(self.database, "merchant", "inn", "inn", now, clock.later(now, days=1)).secret
        services.sign_up(self.database, "inn", "hotel", Terms("hotel"), now)
        ledger.append(self.database, consents(self.people(), "inn", "hotel", now), now)
        self.process = warm.Process(self.log, self.environment, work, *given)
        self.until(lambda health: bool(health))

    def write(self, file: str, *change: str) -> None:
        path = self.rules / file
        before = path.read_text(encoding="utf-8")
        assert before.count(change[0]) == 1
        path.write_text(before.replace(*change), encoding="utf-8")

    def rebase(self, by: int = 1) -> tuple[str, str]:
        """Another release, and what was written for what."""
        found = int(re.findall(r"\bbase: (\d+)", (self.rules / "trust.yaml").read_text())[0])
        change = f"base: {found}", f"base: {found + by}"
        self.write("trust.yaml", *change)
        return change

    def other(self, before: str) -> dict[str, Any]:
        """What health says once another release is in force."""
        return self.until(lambda health: health["release"] != before)

    def restore(self) -> None:
        """The folder says what is in force, whatever a test that failed has left in it."""
        held = releases.kept(self.database, self.health()["release"]).files
        if {name: path.read_text(encoding="utf-8") for name, path in rules_folder.rule_paths(self.rules)} != held:
            shutil.rmtree(self.rules, ignore_errors=True)
            for name, said in held.items():
                (self.rules / name).parent.mkdir(parents=True, exist_ok=True)
                (self.rules / name).write_text(said, encoding="utf-8")
        self.until(lambda health: health["rules_refused"] is None)

    def health(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v1/health", timeout=30) as response:
            found: dict[str, Any] = json.load(response)
        assert found["status"] == "ready"
        return found

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """What health says once it says what is wanted."""
        found: dict[str, Any] = {}
        for _ in range(1_200):
            try:
                found = self.health()
                if wanted(found):
                    return found
            except OSError:
                assert self.process.poll() is None, self.logged()
            time.sleep(0.05)
        pytest.fail(f"health never said it, but {found}\n{self.logged()}")

    def refused(self) -> list[str]:
        """What is said against the folder, once there is something."""
        found = self.until(lambda health: health["rules_refused"] is not None)["rules_refused"]
        assert found["problems"] >= len(found["first"]) >= 1
        assert datetime.fromisoformat(found["at"]).tzinfo
        return [str(line) for line in found["first"]]

    def ask(self, subject: str) -> dict[str, Any]:
        question = {"transaction_id": uuid4().hex, "service": "hotel", "subject": subject, "amount": 50_000}
        body = json.dumps(question).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/eligibility", body, headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            found: dict[str, Any] = json.load(response)
        return found

    def people(self) -> list[str]:
        made = builds.latest(self.database)
        assert made
        scores = builds.scores(self.database, made)
        return [str(p) for p in scores.filter(pl.col("score").is_not_null())["person"]]

    def records(self) -> list[dict[str, Any]]:
        """Every decision on record, in order."""
        with reading(self.database) as connection:
            rows = connection.execute(text("select record from decision_subjects order by seq")).scalars()
            return [json.loads(row) for row in rows]

    def logged(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines()

    def stop(self) -> None:
        self.process.kill()
        self.database.dispose()
