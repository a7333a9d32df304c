"""Run commands in this process, with their output and exit status."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from api.cli import main


class CommandResult(NamedTuple):
    status: int
    out: str
    err: str


CommandRunner = Callable[..., CommandResult]


def command_runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandRunner:
    def run(*args: object) -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["iftah", *map(str, args)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            main.main()
        return CommandResult(int(exit_info.value.code or 0), *capsys.readouterr())

    return run


def edit(path: Path, replace: str, by: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert replace in text
    path.write_text(text.replace(replace, by, 1), encoding="utf-8")
