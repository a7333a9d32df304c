"""Processes that start quickly: we fork them from one that has imported everything, by `multiprocessing`'s fork server."""

import os
import sys
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from api.releases import probe
from tests.api.terminal import CompletedCommand

_COMMAND_MODULES = ["api.cli." + name for name in ("serve", "walk", "evidence", "features", "decisions", "operations")]
_PRELOADED_MODULES = [
    "api.cli.main",
    "api.http.server",
    *_COMMAND_MODULES,
    "api.store.migrations.run",
    "tests.api.server_process",
    "tests.api.shipped_probe",
]
_FORKSERVER = get_context("forkserver")
_FORKSERVER.set_forkserver_preload(_PRELOADED_MODULES)


class Process:
    """A function that runs in a process of its own, its streams in files: both in `log`, or stdout in `out`."""

    def __init__(
        self, log: Path, env: Mapping[str, str], target: Callable[..., None], *args: Any, out: Path | None = None
    ) -> None:
        self.log = log
        streams = str(out or log), str(log)
        self._process = _FORKSERVER.Process(target=_run_child, args=(streams, dict(env), target, *args), daemon=True)
        self._process.start()
        assert self._process.pid
        self.pid = self._process.pid

    def output(self) -> str:
        """The log so far."""
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while the process runs."""
        self._process.join(0)
        return self._process.exitcode

    def wait(self, seconds: float = 60) -> int:
        self._process.join(seconds)
        assert self._process.exitcode is not None, f"it did not end within {seconds} s"
        return self._process.exitcode

    def kill(self) -> None:
        """Kill the process if it runs, and wait for its end."""
        self._process.kill()
        self._process.join(60)
        self._process.close()


def run_iftah(folder: Path, args: tuple[str, ...], env: Mapping[str, str]) -> CompletedCommand:
    """Run `iftah` with these arguments, and return its status."""
    out, err = folder / "stdout", folder / "stderr"
    for stream in (out, err):
        stream.write_bytes(b"")
    process = Process(err, env, command, *args, out=out)
    status = process.wait(120)
    process.kill()
    return CompletedCommand(["iftah", *args], status, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


def command(*args: str) -> None:
    """Run `iftah` with these arguments in a new process."""
    from api.cli import main

    sys.argv = ["iftah", *args]
    main.main()


def _run_child(streams: tuple[str, str], env: dict[str, str], target: Callable[..., None], *args: Any) -> None:
    for fd, path in enumerate(streams, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), fd)
    os.environ.clear()
    os.environ.update(env)
    from tests.api import shipped_probe

    probe.run_probe = shipped_probe.run_other_probe
    target(*args)
