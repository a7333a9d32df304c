"""`iftah build --engine spark`: from files to files, as one machine would compute it; and one line for each thing that is missing."""

import json
import sys
from datetime import timedelta
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from api.features import spark_session
from api.features.spark_session import MEANING, check_spark_version, java_number
from api.releases.catalogue import definitions_of, vocabulary_of
from api.releases.rules_folder import load_folder
from engine.errors import Rejected
from engine.lang.engines import columnar
from engine.lang.model.timezones import zone
from graph.features.pipeline import features
from tests import random_population
from tests.api.cli.commands import CommandRunner, command_runner
from tests.effort import only_in_full
from tests.paths import ROOT
from tests.spark import spark as spark

END = random_population.END
LOCAL = ("--master", "local[1]", "--as-of", "2026-06-30T12:00:00Z")


@pytest.fixture
def iftah(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> CommandRunner:
    monkeypatch.setenv("IFTAH_DATABASE_URL", f"sqlite:///{tmp_path / 'iftah.db'}")
    monkeypatch.setenv("IFTAH_RULES", str(ROOT / "rules"))
    return command_runner(monkeypatch, capsys)


def spark_build(iftah: CommandRunner, *words: object):
    return iftah("build", "--engine", "spark", *words)


@only_in_full
def test_files_of_events_become_files_of_features_and_scores(spark, iftah: CommandRunner, tmp_path: Path) -> None:
    evidence, out = tmp_path / "evidence", tmp_path / "out"
    random_population.write(evidence, 300, 3_000, 600)
    result = spark_build(iftah, "--evidence", evidence, "--out", out, "--partitions", "3", *LOCAL)
    assert (result.status, result.err) == (0, "")
    release = load_folder(ROOT / "rules")
    program = release.at(release.day(END))
    expected = features(
        random_population.events(evidence),
        END,
        END + timedelta(days=400),
        "perks",
        zone=zone(release.timezone),
        vocabulary=vocabulary_of(release),
        definitions=definitions_of(program),
    )
    table = pl.read_parquet(out / "features" / "**" / "*.parquet")
    assert_frame_equal(table.select(expected.columns).sort("person"), expected)
    scored = columnar.score(program, nw.from_native(expected.lazy()), program.day(END), reasons=False).to_native()
    scores = scored.select("person", pl.col("score").cast(pl.Int64), "band").collect()
    written = pl.read_parquet(out / "scores" / "**" / "*.parquet")
    assert_frame_equal(written.select(scores.columns).sort("person"), scores.sort("person"))
    assert {path.name for path in (out / "features").glob("part=*")} == {"part=0", "part=1", "part=2"}
    assert not (out / "_stages").exists()
    line = json.loads(pl.read_parquet(out / "build" / "*.parquet")["build"][0])
    assert (line["people"], line["release"], line["as_of"]) == (300, program.release, END.isoformat())
    assert f"300 people as of 2026-06-30T12:00:00Z, {line['scored']} with a score" in result.out


@only_in_full
def test_on_the_cluster_the_graph_gives_trust_to_a_hundredth_of_one_machine_s(
    spark, iftah: CommandRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.spark.fixed_points.ROUNDS", 60)  # 0.85^60 is below a thousandth of a hundredth
    evidence, out = tmp_path / "evidence", tmp_path / "out"
    random_population.write(evidence, 40, 100, 80)
    result = spark_build(iftah, "--evidence", evidence, "--out", out, "--graph", "cluster", *LOCAL)
    assert (result.status, result.err) == (0, "")
    assert "there is trust alone" in result.out
    release = load_folder(ROOT / "rules")
    expected = features(
        random_population.events(evidence), END, END + timedelta(days=400), "perks", zone=zone(release.timezone)
    )
    table = pl.read_parquet(out / "features" / "**" / "*.parquet").sort("person")
    difference = table["relationships.trust"] - expected.sort("person")["relationships.trust"]
    assert table["relationships.trust"].null_count() == expected["relationships.trust"].null_count()
    assert difference.abs().max() <= 1
    assert table["relationships.core_number"].null_count() == table.height


@only_in_full
def test_evidence_that_the_ledger_would_refuse_is_refused_in_one_line(
    spark, iftah: CommandRunner, tmp_path: Path
) -> None:
    random_population.write(tmp_path / "evidence", 20, 60, 20)
    payments = tmp_path / "evidence" / "4-payments.parquet"
    pl.read_parquet(payments).with_columns(amount=-pl.col("amount")).write_parquet(payments)
    result = spark_build(iftah, "--evidence", tmp_path / "evidence", "--out", tmp_path / "out", *LOCAL)
    assert result.status == 2
    assert "60 rows are not valid events, most of them because" in result.err
    twice = pl.read_parquet(tmp_path / "evidence" / "1-enrolled.parquet")
    (tmp_path / "twice").mkdir()
    pl.concat([twice, twice]).write_parquet(tmp_path / "twice" / "a.parquet")
    result = spark_build(iftah, "--evidence", tmp_path / "twice", "--out", tmp_path / "out", *LOCAL)
    assert result.err == f"iftah: {tmp_path}/twice: 20 ids of events occur more than once (leave each event once)\n"
    result = spark_build(iftah, "--evidence", tmp_path / "absent", "--out", tmp_path / "out", *LOCAL)
    assert "absent: Spark failed: PATH_NOT_FOUND" in result.err
    assert not (tmp_path / "out" / "features").exists()


@only_in_full
def test_a_session_keeps_to_utc_and_to_errors_for_overflows(spark) -> None:
    assert {name: spark.conf.get(name) for name in MEANING} == MEANING
    assert spark.conf.get("spark.driver.host") == "127.0.0.1"
    assert spark.sparkContext.uiWebUrl is None


@pytest.mark.parametrize("missing", ["--evidence", "--out"])
def test_a_build_with_spark_needs_two_places(iftah: CommandRunner, missing: str) -> None:
    words = ["--evidence", "a", "--out", "b"]
    place = words.index(missing)
    result = spark_build(iftah, *words[:place], *words[place + 2 :])
    assert result.status == 2
    assert result.err.startswith(f"iftah: --engine spark: a build with Spark needs {missing} (")
    assert result.err.count("\n") == 1


def test_places_without_spark_and_settings_without_a_value_are_refused(iftah: CommandRunner) -> None:
    error = iftah("build", "--evidence", "a", "--out", "b", "--master", "local", "--graph", "cluster").err
    assert "--master, --graph: only a build with Spark takes these options (add --engine spark" in error
    result = spark_build(iftah, "--evidence", "a", "--out", "jdbc:postgresql://db/x")
    assert "--stages: a build into PostgreSQL needs a folder for its stages" in result.err
    result = spark_build(iftah, "--evidence", "a", "--out", "b", "--conf", "spark.x")
    assert result.err == "iftah: --conf: `spark.x` has no `=` (write NAME=VALUE)\n"


def test_without_pyspark_one_line_names_the_extra(iftah: CommandRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(_: str) -> str:
        raise spark_session.PackageNotFoundError

    monkeypatch.setattr(spark_session, "version", version)
    result = spark_build(iftah, "--evidence", "a", "--out", "b")
    assert result.status == 2
    assert result.err == "iftah: --engine spark: PySpark is not installed (pip install 'iftah[spark]')\n"


@pytest.mark.parametrize(
    ("installed", "age"), [("3.4.1", "old"), ("2.4", "old"), ("5.0.0.dev1", "new"), ("10.1", "new")]
)
def test_a_version_of_spark_that_we_do_not_support_is_refused(installed: str, age: str) -> None:
    with pytest.raises(Rejected, match=f"PySpark {installed} is too {age}: 3.5 and 4 are supported") as rejected:
        check_spark_version(installed)
    assert rejected.value.code == "spark_version"


@pytest.mark.parametrize("installed", ["3.5.0", "3.5.4", "4.0.0", "4.3.0"])
def test_spark_3_5_and_4_are_supported(installed: str) -> None:
    check_spark_version(installed)


def pretend_java(folder: Path, text: str) -> None:
    (folder / "bin").mkdir()
    java = folder / "bin" / "java"
    java.write_text(f"#!/bin/sh\necho '{text}' >&2\n")
    java.chmod(0o755)


def test_without_java_or_with_an_old_one_a_line_says_so(
    iftah: CommandRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.setattr(spark_session, "check_spark", lambda: None)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)  # we must not come so far
    result = spark_build(iftah, "--evidence", "a", "--out", "b")
    assert "--engine spark: Spark needs Java, and there is none in $JAVA_HOME/bin (install Java 17" in result.err
    pretend_java(tmp_path, 'openjdk version "11.0.22" 2024-01-16')
    result = spark_build(iftah, "--evidence", "a", "--out", "b")
    assert f"Spark needs Java 17 or newer, and `{tmp_path}/bin/java` is Java 11 (" in result.err
    assert result.err.count("\n") == 1


def test_java_names_its_version_in_two_ways() -> None:
    assert java_number('java version "1.8.0_402"') == 8
    assert java_number('openjdk version "17.0.15" 2025-04-15') == 17
    assert java_number('openjdk version "21" 2023-09-19') == 21
    assert java_number("no java") is None
