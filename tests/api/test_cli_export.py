"""`iftah export`, as a person at a terminal has it."""

from pathlib import Path

from api.clock import day, now
from engine.pmml import document
from tests.api.terminal import Done, environment, in_process
from tests.api.world import ROOT
from tests.engine.test_rules import release

TODAY = day(now())


def export(*words: str) -> Done:
    return in_process(("export", *words), environment(), ROOT)


def test_the_scorecard_goes_to_standard_output_as_it_is() -> None:
    done = export("pmml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == document(release(), TODAY)


def test_it_goes_to_a_file_which_is_named(tmp_path: Path) -> None:
    file = tmp_path / "trust.pmml"
    done = export("pmml", "--out", str(file))
    assert (done.returncode, done.stdout) == (0, f"{file} written\n")
    assert file.read_text(encoding="utf-8") == document(release(), TODAY)


def test_a_file_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    done = export("pmml", "--out", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"iftah: {tmp_path}: cannot be written: Is a directory\n"
