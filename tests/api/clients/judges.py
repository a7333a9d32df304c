"""The judges of the OpenAPI document: tools of others, installed once from a lock file into a cache outside of the project.

Each has its own requirements, which do not fit beside the project's. Where npm or the network is absent its tests are left out,
visibly; in CI they fail.
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

HERE = Path(__file__).parent
SECONDS = 120  # for one command of a judge; an installation may take twice that
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iftah-judges"


def run(words: list[str | Path], folder: Path, *, stdin: str = "", seconds: int = SECONDS, **env: str) -> str:
    """What a judge says on stdout. A failure fails the test, with everything that was said."""
    done = _run(words, folder, stdin, seconds, env)
    assert done.returncode == 0, f"{words[0]}: status {done.returncode}\n{done.stdout[-8000:]}{done.stderr[-8000:]}"
    return done.stdout


def node() -> Path:
    """A folder with `node_modules`, from the lock file."""
    npm = shutil.which("npm")
    if npm is None:
        _left_out("npm is absent: the judges of the OpenAPI document that need Node are left out")

    def install(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder / name)
        _installed([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    return _cached("node", HERE / "package-lock.json", install)


def python() -> Path:
    """The `bin` of an environment, from the requirements with their hashes."""

    def install(folder: Path) -> None:
        _installed([sys.executable, "-m", "venv", folder / "env"], folder)
        pip = [folder / "env" / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        _installed([*pip, "--require-hashes", "-r", HERE / "requirements.txt"], folder)

    return (
        _cached(f"python-{sys.version_info[0]}.{sys.version_info[1]}", HERE / "requirements.txt", install) / "env/bin"
    )


def _cached(name: str, lock: Path, install: Callable[[Path], None]) -> Path:
    """The folder of what the lock file says, installed by the first process that wants it."""
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
    """Waits for another process that installs the same; that one is bounded, or the lock goes with it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _installed(words: list[str | Path], folder: Path) -> None:
    done = _run(words, folder, "", 2 * SECONDS, {})
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
        _left_out(f"{Path(words[0]).name} could not install a judge of the OpenAPI document: {said[:200]}")


def _left_out(why: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def _run(
    words: list[str | Path], folder: Path, stdin: str, seconds: int, env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**os.environ, "NO_COLOR": "1", **env},
    )
