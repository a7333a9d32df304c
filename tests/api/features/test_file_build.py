"""`iftah build --evidence --out`: from files to files as one computation in memory gives; on from its last stage after a kill; and
one line for each thing that is wrong.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from api.features import file_build
from api.releases.catalogue import definitions_of, vocabulary_of
from api.releases.rules_folder import load_folder
from engine.lang.engines import columnar
from engine.lang.model.timezones import zone
from graph.evidence.events import SCHEMA
from graph.features.pipeline import features
from tests import random_population
from tests.api.cli.commands import CommandRunner, command_runner
from tests.graph.story import story
from tests.paths import ROOT

END = random_population.END
AS_OF = ("--as-of", "2026-06-30T12:00:00Z")
MAX_WAIT = 120  # seconds


@pytest.fixture
def iftah(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> CommandRunner:
    monkeypatch.setenv("IFTAH_DATABASE_URL", f"sqlite:///{tmp_path / 'iftah.db'}")
    monkeypatch.setenv("IFTAH_RULES", str(ROOT / "rules"))
    return command_runner(monkeypatch, capsys)


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evidence")
    random_population.write(folder, 300, 3_000, 600)
    return folder


def expected_features(folder: Path) -> pl.DataFrame:
    release = load_folder(ROOT / "rules")
    return features(
        random_population.events(folder),
        END,
        END + timedelta(days=400),
        "perks",
        zone=zone(release.timezone),
        vocabulary=vocabulary_of(release),
        definitions=definitions_of(release.at(release.day(END))),
    )


def rows_of(out: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(out / name / "*" / "*.parquet", hive_partitioning=False).sort("person")


def command(evidence: Path, out: Path, *words: object) -> list[str]:
    return ["build", "--evidence", str(evidence), "--out", str(out), *AS_OF, *map(str, words)]


def test_files_of_events_become_files_of_features_and_scores(
    iftah: CommandRunner, evidence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_build, "FLUSH_ROWS", 1_000)
    out = tmp_path / "out"
    result = iftah(*command(evidence, out, "--partitions", 3))
    assert (result.status, result.err) == (0, "")
    expected = expected_features(evidence)
    assert_frame_equal(rows_of(out, "features").select(expected.columns), expected)
    program = load_folder(ROOT / "rules").at(load_folder(ROOT / "rules").day(END))
    scored = columnar.score(program, nw.from_native(expected.lazy()), program.day(END), reasons=False).to_native()
    scores = scored.select("person", pl.col("score").cast(pl.Int64), "band").collect().sort("person")
    assert_frame_equal(rows_of(out, "scores").select(scores.columns), scores)
    assert {path.name for path in (out / "features").iterdir()} == {"part=0", "part=1", "part=2"}
    assert not (out / "_stages").exists()
    line = json.loads(pl.read_parquet(out / "build" / "*.parquet")["build"][0])
    assert (line["people"], line["partitions"], line["as_of"]) == (300, 3, END.isoformat())
    assert f"300 people as of 2026-06-30T12:00:00Z, {line['scored']} with a score" in result.out


def test_a_build_that_was_killed_goes_on_from_its_last_finished_stage(
    iftah: CommandRunner, evidence: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = command(evidence, out, "--partitions", 12)
    process = subprocess.Popen(
        [sys.executable, "-c", "from api.cli.main import main; main()", *words], cwd=ROOT, env=os.environ.copy()
    )
    try:
        deadline = time.monotonic() + MAX_WAIT
        while not (out / "scores" / "part=1").is_dir():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(MAX_WAIT)
    view, first = out / "_stages" / "view", out / "scores" / "part=0" / "rows.parquet"
    written_at = first.stat().st_mtime_ns
    assert not (out / "build").exists()
    shutil.rmtree(view / "part=0")  # nothing reads again what a finished stage has read
    result = iftah(*words)
    assert (result.status, result.err) == (0, "")
    assert first.stat().st_mtime_ns == written_at
    assert "reading the evidence" not in result.out
    expected = expected_features(evidence)
    assert_frame_equal(rows_of(out, "features").select(expected.columns), expected)


def test_stages_of_other_evidence_do_not_count(iftah: CommandRunner, tmp_path: Path) -> None:
    evidence, out = tmp_path / "evidence", tmp_path / "out"
    random_population.write(evidence, 40, 100, 80)
    stages = out / "_stages"
    (stages / "view").mkdir(parents=True)
    (stages / "identity.json").write_text('{"identity": {"as_of": "2020"}, "known_at": "2020-01-01T00:00:00+00:00"}')
    (out / "scores" / "part=7").mkdir(parents=True)
    assert iftah(*command(evidence, out)).status == 0
    assert rows_of(out, "features").height == 40
    assert not (out / "scores" / "part=7").exists()


LINKED = """
2024-01-01 person.enrolled ann identity_level=3
2024-01-01 person.enrolled zoe identity_level=3
2024-01-01 consent.granted ann purpose=perks classes=identity,behaviour
2024-01-01 consent.granted zoe purpose=perks classes=identity,behaviour
2024-01-02 person.same_as ann > zoe #l
2024-01-05 payment.made zoe > shop #p amount=100 currency=CNY
"""


def test_linked_ids_have_a_row_each_with_the_same_values(iftah: CommandRunner, tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    story(LINKED).write_parquet(evidence / "events.parquet")
    assert iftah(*command(evidence, tmp_path / "out", "--partitions", 2)).status == 0
    table = rows_of(tmp_path / "out", "features")
    assert table["person"].to_list() == ["ann", "zoe"]
    assert table[0].drop("person").rows() == table[1].drop("person").rows()


ANN = "2024-01-01 person.enrolled ann #e identity_level=3\n"


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (story(ANN).with_columns(kind=pl.lit("person.seen")), "1 rows of 1 are not valid"),
        (pl.concat([story(ANN), story(ANN)]), "a contributor uses an id for two events"),
        (story(ANN).drop("subject"), "the evidence has no column `subject`"),
        (story(ANN).with_columns(identity_level=pl.lit("three")), "a column has values of another type"),
    ],
)
def test_evidence_that_the_ledger_would_refuse_is_refused_in_one_line(
    iftah: CommandRunner, tmp_path: Path, events: pl.DataFrame, message: str
) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    events.write_parquet(evidence / "events.parquet")
    result = iftah(*command(evidence, tmp_path / "out"))
    assert result.status != 0
    assert message in result.err
    assert not (tmp_path / "out" / "features").exists()
    assert set(SCHEMA) >= set(events.columns)


def test_both_folders_are_needed_and_they_are_two(iftah: CommandRunner, evidence: Path, tmp_path: Path) -> None:
    assert "needs --out" in iftah("build", "--evidence", evidence).err
    assert "needs --evidence" in iftah("build", "--out", tmp_path).err
    assert "no Parquet files here" in iftah(*command(tmp_path / "nowhere", tmp_path / "out")).err
    assert "are one in the other" in iftah(*command(evidence, evidence.parent)).err
