"""Run an example of docs/examples on its files: import, build, score, ask."""

import json
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.api.ports import free_port, wait_until_healthy
from tests.api.terminal import IFTAH, environment, run_in_process
from tests.paths import DOCS

EXAMPLES = DOCS / "examples"


class ExampleRun:
    """An example in a folder and a database of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder / name
        shutil.copytree(EXAMPLES / name, self.folder)
        self.environment = environment(
            IFTAH_RULES=str(self.folder / "rules"),
            IFTAH_DATABASE_URL=f"sqlite:///{self.folder / 'iftah.db'}",
            IFTAH_PORT=str(free_port()),
            COLUMNS="120",
        )

    def run(self, *words: str) -> str:
        """The output of a command that must succeed."""
        completed = run_in_process(words, self.environment, self.folder)
        assert completed.returncode == 0, completed.stdout + completed.stderr
        return completed.stdout

    def import_all(self, imports: Sequence[tuple[str, ...]]) -> list[tuple[int, int, int]]:
        """Import each. Returns its accepted events, duplicates and wrong rows."""
        lines = [self.run("import", *words).splitlines()[-1].replace(",", "") for words in imports]
        counts = [re.findall(r"(\d+) (?:accepted|duplicates|rejected)", line) for line in lines]
        return [(int(a), int(d), int(r)) for a, d, r in counts]

    def build_and_score(self, as_of: str) -> str:
        """Compute features and scores as of a moment. Returns the report of the scores."""
        self.run("build", "--as-of", as_of)
        return self.run("score")

    def ask(self, person: str, perk: str, amount: int) -> str:
        """The answer of the command, with its reasons."""
        return self.run("eligible", person, "--perk", perk, "--amount", str(amount))

    @contextmanager
    def serving(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """A server on the database. Gives the address, the headers' token and the body of the request that it prints."""
        command = [str(IFTAH), "run"]
        with (self.folder / "server.log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(command, env=self.environment, cwd=self.folder, stdout=log, stderr=log)
            try:
                wait_until_healthy(int(self.environment["IFTAH_PORT"]))
                text = (self.folder / "server.log").read_text(encoding="utf-8")
                url, token = re.findall(r"curl -s (\S+)", text)[0], re.findall(r"Bearer (\S+?)'", text)[0]
                yield url, token, json.loads(re.findall(r"-d '(.*)'", text)[0])
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)

    def served_answer(self) -> dict[str, Any]:
        """The answer of a server, by HTTP, to the request that it prints when it starts."""
        with self.serving() as (url, token, body):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            request = urllib.request.Request(url, json.dumps(body).encode(), headers)
            with urllib.request.urlopen(request, timeout=60) as response:
                answer: dict[str, Any] = json.load(response)
        return answer
