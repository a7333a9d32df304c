"""Install the wheel and the source distribution as you would, on each Python, and work with them outside the checkout.

`python -m tests.distribution DIST` takes the files of the folder DIST, which `make dist` makes. We print a line for each
Python that you have not installed. In CI we need at least one: the Python that runs this.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.distribution.build import ROOT

PYTHONS: Final = ("3.11", "3.12", "3.13")
PATIENCE: Final = 300.0  # seconds that we wait for a server
HIDDEN: Final = ("PYTHON", "IFTAH_", "VIRTUAL_ENV")  # our variables, which you do not have at first


def interpreters() -> Iterator[tuple[str, str | None]]:
    """Each version with an interpreter of it: this one, one on the path, or one of pyenv."""
    for version in PYTHONS:
        running = sys.executable if sys.version.startswith(f"{version}.") else ""
        pyenv_pythons = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
        candidates = [running, shutil.which(f"python{version}") or "", *map(str, pyenv_pythons)]
        yield version, next((c for c in candidates if c and _matches(c, version)), None)


def _matches(command: str, version: str) -> bool:
    completed = subprocess.run(
        [command, "-c", "import sys; print(sys.version)"], capture_output=True, text=True, check=False
    )
    return completed.returncode == 0 and completed.stdout.startswith(f"{version}.")


class Environment:
    """An empty environment, in a folder outside the checkout."""

    def __init__(self, python: str, folder: Path) -> None:
        self.bin, self.folder = folder / "venv" / "bin", folder
        self.variables = {k: v for k, v in os.environ.items() if not k.startswith(HIDDEN)} | {"COLUMNS": "120"}
        subprocess.run([python, "-m", "venv", folder / "venv"], check=True, env=self.variables)

    def install(self, *words: str | Path) -> None:
        self.run("python", "-m", "pip", "install", "--quiet", *words)

    def run(self, *words: str | Path, cwd: Path | None = None, status: int = 0) -> str:
        """The output of a command. We fail if it ends with another status than `status`."""
        command = [self.bin / words[0], *words[1:]]
        completed = subprocess.run(
            command, cwd=cwd or self.folder, env=self.variables, capture_output=True, text=True, check=False
        )
        assert completed.returncode == status, f"{words}: {completed.returncode}\n{completed.stdout}{completed.stderr}"
        return completed.stdout + completed.stderr


def work(env: Environment, shop: Path) -> None:
    """The steps that you take first, from the version to an answer of the server."""
    version = re.findall(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)[0]
    assert env.run("iftah", "--version") == f"iftah {version}\n"
    lost = env.run("iftah", "build", status=2)
    assert lost.count("\n") == 1, lost
    assert "iftah init" in lost
    env.run("iftah", "init", shop)
    assert "no problem" in env.run("iftah", "check", cwd=shop)
    lines = re.findall(r"^>>> (.+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert re.match(r"\d+ \w+ \(", env.run("python", "-c", "\n".join(lines), cwd=shop))
    serve(env, shop)
    assert (shop / "var" / "iftah.db").is_file()
    assert "release" in env.run("iftah", "check", cwd=shop)


def serve(env: Environment, shop: Path) -> None:
    """Run the server, and send the request that it prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = shop / "run.log"
    variables = env.variables | {"IFTAH_PORT": str(port), "IFTAH_TOWN_PEOPLE": "300"}
    with log.open("w") as out:
        server = subprocess.Popen([env.bin / "iftah", "run"], cwd=shop, env=variables, stdout=out, stderr=out)
    try:
        assert _health(port, server, log)["status"] == "ready"
        request = re.search(r"^curl .+\n.+\n.+", log.read_text(), re.M)
        assert request, log.read_text()
        answer = json.loads(subprocess.run(["bash", "-c", request[0]], capture_output=True, check=True).stdout)
        assert answer["outcome"] in ("ADMIT", "PARTIAL", "DECLINE"), answer
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def _health(port: int, server: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/health", timeout=5) as response:
                health: dict[str, Any] = json.load(response)
                return health
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"the server does not answer:\n{log.read_text()}")


def main(dist: Path) -> None:
    """For each Python: install the wheel in an empty environment, then replace it by the source distribution."""
    wheel, source = (next(dist.glob(pattern)).absolute() for pattern in ("iftah-*.whl", "iftah-*.tar.gz"))
    passes = 0
    for version, python in interpreters():
        if python is None:
            print(f"Python {version}: skipped, there is none on this machine")
            continue
        with tempfile.TemporaryDirectory() as name:
            started_at, folder = time.monotonic(), Path(name)
            env = Environment(python, folder)
            env.install(wheel)
            work(env, folder / "shop")
            env.install("--force-reinstall", "--no-deps", source)
            work(env, folder / "kiosk")
            passes += 1
            print(
                f"Python {version}: the wheel and the source distribution work ({time.monotonic() - started_at:.0f} s)"
            )
    assert passes or os.environ.get("CI") != "true", "CI needs one Python at least"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
