"""Where a build with Spark reads events and writes results: Parquet on a path or a URL of an object store, or PostgreSQL by JDBC."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from api.features.spark_session import spark_condition
from engine.errors import Rejected
from graph.evidence.events import SCHEMA, UTC_MICROSECONDS
from graph.spark.partitions import ORDER

JDBC: Final = "jdbc:"
DRIVER: Final = "org.postgresql.Driver"
TABLE_PREFIX: Final = "iftah_spark_"  # of the tables that we write by JDBC
DAYS: Final = ("due",)
TIMES: Final = tuple(name for name, dtype in SCHEMA.items() if dtype == UTC_MICROSECONDS)


def read_events(session: Any, place: str, partitions: int) -> Any:
    """The events at a place, as Spark's frame with columns of `SCHEMA` and `ORDER`.

    Parquet: a file, a folder or a pattern; files may differ in their columns. The order of appending is that of the column `seq`
    if there is one, else of the files' names and the rows in them. An event without `recorded_at` counts as known when it happened. By JDBC
    we read the table `events` of a ledger on PostgreSQL. Raises Rejected `bad_evidence` if we cannot read the place.
    """
    with one_line(place, "bad_evidence"):
        events = _read_jdbc(session, place, partitions) if place.startswith(JDBC) else _read_parquet(session, place)
        missing = {"contributor", "event_id", "kind", "subject", "happened_at"} - set(events.columns)
    if missing:
        message = f"the evidence has no column {', '.join(f'`{name}`' for name in sorted(missing))}"
        raise Rejected(message, where=place, hint="see docs/events.md", code="bad_evidence")
    recorded = "coalesce(recorded_at, happened_at)" if "recorded_at" in events.columns else "happened_at"
    columns = [f"`{c}`" for c in events.columns if c in (*SCHEMA, *ORDER) and c != "recorded_at"]
    return events.selectExpr(*columns, f"{recorded} AS recorded_at")


def _read_parquet(session: Any, place: str) -> Any:
    events = session.read.option("mergeSchema", "true").parquet(place)
    if "seq" in events.columns:
        return events.selectExpr("*", f"'' AS {ORDER[0]}", f"CAST(seq AS BIGINT) AS {ORDER[1]}")
    return events.selectExpr("*", f"_metadata.file_path AS {ORDER[0]}", f"_metadata.row_index AS {ORDER[1]}")


def _read_jdbc(session: Any, place: str, partitions: int) -> Any:
    reader = session.read.format("jdbc").option("url", place).option("driver", DRIVER)
    last = reader.option("query", "SELECT coalesce(max(seq), 1) AS last FROM events").load().first()["last"]
    bounds = {"partitionColumn": "seq", "lowerBound": 1, "upperBound": last + 1, "numPartitions": partitions}
    reader = session.read.format("jdbc").option("url", place).option("driver", DRIVER).option("dbtable", "events")
    events = reader.options(**bounds).option("fetchsize", 10_000).load()
    columns = [f"`{c}`" for c in events.columns if c not in (*TIMES, *DAYS)]
    columns += [f"timestamp_micros({c}) AS {c}" for c in TIMES] + [f"date_from_unix_date(`{c}`) AS `{c}`" for c in DAYS]
    return events.selectExpr(*columns, f"'' AS {ORDER[0]}", f"seq AS {ORDER[1]}")


@dataclass(frozen=True)
class Sink:
    """Where results go. Parquet is partitioned by `part`, the hash of the person; by JDBC each result is a table."""

    session: Any
    place: str

    def write(self, name: str, native: Any, parts: int | None = None) -> None:
        """Replace a result. `parts`: the number of partitions by person. Raises Rejected `bad_place` if we cannot write it."""
        with one_line(self.place, "bad_place"):
            if self.place.startswith(JDBC):
                writer = native.write.format("jdbc").option("url", self.place).option("driver", DRIVER)
                writer.option("dbtable", f"{TABLE_PREFIX}{name}").mode("overwrite").save()
            elif parts is None:
                native.coalesce(1).write.mode("overwrite").parquet(f"{self.place}/{name}")
            else:
                rows = native.selectExpr("*", f"pmod(xxhash64(person), {parts}) AS part").repartition(parts, "part")
                rows.write.mode("overwrite").partitionBy("part").parquet(f"{self.place}/{name}")


@dataclass(frozen=True)
class SparkStages:
    """Results between the parts of a build, as Parquet: later parts begin from files and not from a plan of everything before."""

    session: Any
    place: str

    def store(self, name: str, native: Any) -> Any:
        """Compute a frame and return it stored. Raises Rejected `spark_failed`."""
        path = f"{self.place}/{name}"
        with one_line(self.place, "spark_failed"):
            native.write.mode("overwrite").parquet(path)
            return self.session.read.schema(native.schema).parquet(path)

    def remove(self) -> None:
        """Delete all stages: they hold personal data."""
        java = self.session.sparkContext._jvm
        path = java.org.apache.hadoop.fs.Path(self.place)
        path.getFileSystem(self.session.sparkContext._jsc.hadoopConfiguration()).delete(path, True)


@contextmanager
def stages_at(session: Any, place: str) -> Iterator[SparkStages]:
    """Lend a place for stages, and delete them at the end, also after a failure."""
    stages = SparkStages(session, place)
    try:
        yield stages
    finally:
        stages.remove()


@contextmanager
def one_line(place: str, code: str) -> Iterator[None]:
    """Turn an error of Spark into one line about the place."""
    try:
        yield
    except Rejected:
        raise
    except Exception as error:
        hint = "check the path, its credentials and the driver's jar (`--conf spark.jars=FILE` for JDBC)"
        raise Rejected(f"Spark failed: {spark_condition(error)}", where=place, hint=hint, code=code) from error
