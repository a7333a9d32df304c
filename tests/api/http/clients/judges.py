"""Third-party tools that judge the OpenAPI document. We install them once from a lock file into a cache outside the project.

Each has its own requirements, which conflict with the project's. Without npm or the network we skip its tests visibly; in CI they
fail.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

FOLDER = Path(__file__).parent
TIMEOUT_SECONDS = 120  # for one command of a tool; an installation may take twice that
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iftah-judges"


def run(args: list[str | Path], folder: Path, *, stdin: str = "", seconds: int = TIMEOUT_SECONDS, **env: str) -> str:
    """A tool's standard output. A failure fails the test with all of the output."""
    completed = _run(args, folder, stdin, seconds, env)
    assert completed.returncode == 0, (
        f"{args[0]}: status {completed.returncode}\n{completed.stdout[-8000:]}{completed.stderr[-8000:]}"
    )
    return completed.stdout


def node() -> Path:
    """A folder with `node_modules`, from the lock file."""
    npm = shutil.which("npm")
    if npm is None:
        _skip_or_fail("npm is absent: the judges of the OpenAPI document that need Node are left out")

    def install(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(FOLDER / name, folder / name)
        _install([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    return _cached_folder("node", FOLDER / "package-lock.json", install)


def python() -> Path:
    """The `bin` of an environment, from the requirements with their hashes."""

    def install(folder: Path) -> None:
        _install([sys.executable, "-m", "venv", folder / "env"], folder)
        pip = [folder / "env" / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        _install([*pip, "--require-hashes", "-r", FOLDER / "requirements.txt"], folder)

    return (
        _cached_folder(f"python-{sys.version_info[0]}.{sys.version_info[1]}", FOLDER / "requirements.txt", install)
        / "env/bin"
    )


def _cached_folder(name: str, lock: Path, install: Callable[[Path], None]) -> Path:
    """The folder with the contents of the lock file. The first process that needs it installs it."""
    folder = CACHE / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    ready = folder / ".ready"
    if not ready.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(CACHE / f"{folder.name}.lock"):
            if not ready.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                install(folder)
                ready.touch()
    return folder


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Wait for another process that installs the same. Its time is limited, or its lock ends with it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(args: list[str | Path], folder: Path) -> None:
    completed = _run(args, folder, "", 2 * TIMEOUT_SECONDS, {})
    if completed.returncode:
        last_line = (completed.stderr.strip() or completed.stdout.strip() or "no word").splitlines()[-1]
        _skip_or_fail(f"{Path(args[0]).name} could not install a judge of the OpenAPI document: {last_line[:200]}")


def _skip_or_fail(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _run(
    args: list[str | Path], folder: Path, stdin: str, seconds: int, env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(arg) for arg in args],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**os.environ, "NO_COLOR": "1", **env},
    )
