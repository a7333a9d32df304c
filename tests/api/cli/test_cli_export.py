"""`iftah export` at a terminal."""

from pathlib import Path

from api.store.clock import day, now
from engine.verify.pmml import document
from tests.api.terminal import CompletedCommand, environment, run_in_process
from tests.engine.verify.test_shipped_rules import release
from tests.paths import ROOT

TODAY = day(now())


def export(*args: str) -> CompletedCommand:
    return run_in_process(("export", *args), environment(), ROOT)


def test_the_scorecard_goes_to_standard_output_as_it_is() -> None:
    result = export("pmml")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == document(release(), TODAY)


def test_export_writes_the_named_file(tmp_path: Path) -> None:
    file = tmp_path / "trust.pmml"
    result = export("pmml", "--out", str(file))
    assert (result.returncode, result.stdout) == (0, f"{file} written\n")
    assert file.read_text(encoding="utf-8") == document(release(), TODAY)


def test_an_unwritable_file_prints_one_line(tmp_path: Path) -> None:
    result = export("pmml", "--out", str(tmp_path))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"iftah: {tmp_path}: cannot be written: Is a directory\n"
