"""Run commands as at a terminal: in a new process, or in this one where a new interpreter would only cost time."""

import io
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

from api.cli import main
from api.releases import probe
from tests.api.shipped_probe import run_other_probe

IFTAH = Path(sys.executable).with_name("iftah")
CompletedCommand = subprocess.CompletedProcess[str]
CommandRunner = Callable[..., CompletedCommand]


def environment(**overrides: str) -> dict[str, str]:
    """An environment without your own settings, but with the folder of anchors of the test, and without simulated activity."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("IFTAH_") or k == "IFTAH_ANCHORS"}
    return variables | {"IFTAH_DEMO_ACTIVITY": "false"} | overrides


def run_in_process(args: tuple[str, ...], env: Mapping[str, str], folder: Path | None = None) -> CompletedCommand:
    """Run the command's entry point in this process. Returns its output and status."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="", write_through=True) for _ in range(2))
    with (
        patch.dict(os.environ, env, clear=True),
        patch.object(sys, "argv", ["iftah", *args]),
        chdir(folder or Path.cwd()),
        redirect_stdout(out),
        redirect_stderr(err),
        patch.object(probe, "run_probe", run_other_probe),
        pytest.raises(SystemExit) as exit_info,
    ):
        main.main()
    outputs = (stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
    return CompletedCommand(["iftah", *args], int(exit_info.value.code or 0), *outputs)


def run_in_subprocess(args: tuple[str, ...], env: Mapping[str, str]) -> CompletedCommand:
    """The same in a new process."""
    return subprocess.run([str(IFTAH), *args], env=env, capture_output=True, text=True, timeout=120, check=False)


def terminal_output(folder: Path, args: tuple[str, ...], env: Mapping[str, str]) -> str:
    """What the command writes to a terminal of its own."""
    master, slave = pty.openpty()
    process = subprocess.Popen([str(IFTAH), *args], cwd=folder, env=env, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    output, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            piece = os.read(master, 65_536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        output += piece
    os.close(master)
    process.wait(timeout=30)
    return output.decode()
