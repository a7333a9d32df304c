"""A session of Spark: the versions that it needs, and the settings without which its numbers would differ from ours.

Errors are one line that says what to install. We import PySpark when you build with Spark, and nowhere else.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from engine.errors import Rejected

MIN_SPARK, SPARK_LIMIT = (3, 5), (5,)  # from 3.5 on, below 5
MIN_JAVA: Final = 17
JAVA_SECONDS: Final = 60  # `java -version` takes one; a machine under load takes longer
LOCAL: Final = "local[*]"
INSTALL_HINT: Final = "pip install 'iftah[spark]'"
# UTC, since a session of Spark moves times to its own zone; ANSI, so that an overflow is an error and not another number.
MEANING: Final = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "true",
}
# A plan of ours sorts many small tables in one task, and each sort begins with a page: pages of 64 MB would need gigabytes.
# Numbers for the graph are collected on the driver.
SIZES: Final = {"spark.buffer.pageSize": "2m", "spark.driver.maxResultSize": "0"}
LOCAL_ONLY: Final = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
    "spark.driver.memory": f"{max(1, os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 2**31)}g",  # half of it
}


@contextmanager
def session_of_build(master: str = LOCAL, settings: Mapping[str, str] | None = None) -> Iterator[Any]:
    """Lend a session of Spark, and stop it afterwards if none ran before. Raises Rejected as `open_session`."""
    is_running = sys.modules.get("pyspark.sql") is not None and _active_session() is not None
    session = open_session(master, settings)
    try:
        yield session
    finally:
        if not is_running:
            session.stop()


def _active_session() -> Any:
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession()


def open_session(master: str = LOCAL, settings: Mapping[str, str] | None = None) -> Any:
    """Start a session of Spark, or take the one that runs. `settings` are Spark's own, and win over ours of size.

    Raises Rejected with one line: `spark_missing`, `spark_version`, `java_missing`, `java_version` or `spark_failed`.
    """
    check_spark()
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # else spark-submit has started Java
        check_java()
    from pyspark.sql import SparkSession

    is_local = master.startswith("local")
    if is_local:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    chosen = {**SIZES, **(LOCAL_ONLY if is_local else {}), **(settings or {}), **MEANING}
    builder = SparkSession.builder.master(master).appName("iftah build")
    for name, value in chosen.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        raise Rejected(
            f"Spark did not start at `{master}` ({spark_condition(error)})",
            where="--engine spark",
            hint="see what Java wrote above, and the settings that you passed with --conf",
            code="spark_failed",
        ) from error
    for name, value in MEANING.items():
        session.conf.set(name, value)  # a session that ran before may have other values
    return session


def check_spark() -> None:
    """Raise Rejected unless a version of PySpark that we support is installed, with pandas and PyArrow."""
    try:
        installed = version("pyspark")
    except PackageNotFoundError:
        raise Rejected(
            "PySpark is not installed", where="--engine spark", hint=INSTALL_HINT, code="spark_missing"
        ) from None
    check_spark_version(installed)
    if find_spec("pandas") is None:
        message = "PySpark runs Python on executors only with pandas, which is not installed"
        raise Rejected(message, where="--engine spark", hint=INSTALL_HINT, code="spark_missing")


def check_spark_version(installed: str) -> None:
    """Raise Rejected unless we support this version of PySpark."""
    numbers = tuple(int(n) for n in re.findall(r"\d+", installed)[:2])
    if not MIN_SPARK <= numbers < SPARK_LIMIT:
        age = "old" if numbers < MIN_SPARK else "new"
        message = f"PySpark {installed} is too {age}: 3.5 and 4 are supported"
        raise Rejected(message, where="--engine spark", hint=INSTALL_HINT, code="spark_version")


def check_java() -> None:
    """Raise Rejected unless Java 17 or newer is in $JAVA_HOME or on PATH."""
    home = os.environ.get("JAVA_HOME")
    command = shutil.which("java", path=str(Path(home, "bin")) if home else None)
    hint = f"install Java {MIN_JAVA}, and set JAVA_HOME to it (Debian: openjdk-{MIN_JAVA}-jre-headless)"
    if command is None:
        place = "in $JAVA_HOME/bin" if home else "on PATH"
        raise Rejected(
            f"Spark needs Java, and there is none {place}", where="--engine spark", hint=hint, code="java_missing"
        )
    completed = subprocess.run(  # noqa: S603 - the command is `java`
        [command, "-version"], capture_output=True, text=True, timeout=JAVA_SECONDS, check=False
    )
    number = java_number(completed.stderr + completed.stdout)
    if number is None or number < MIN_JAVA:
        age = "an unknown version of Java" if number is None else f"Java {number}"
        message = f"Spark needs Java {MIN_JAVA} or newer, and `{command}` is {age}"
        raise Rejected(message, where="--engine spark", hint=hint, code="java_version")


def java_number(text: str) -> int | None:
    """The number of the Java version in the output of `java -version`: 8 for 1.8, 17 for 17.0.1."""
    match = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(match[1]) if match else None


def spark_condition(error: BaseException) -> str:
    """The name that Spark gives an error, such as `PATH_NOT_FOUND`; else its class. Its text may hold personal data."""
    match = re.search(r"\[([A-Z][A-Z0-9_.]+)\]", str(error))
    return match[1] if match else type(error).__name__
