"""One session of Spark a test session: on loopback, in UTC, in ANSI mode, with two partitions and bounded memory."""

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

from api.features.spark_session import open_session

# Interpreting small tables takes less time than compiling code for them, and a thousand rows need no second plan.
SMALL: Final = {
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.driver.memory": "1g",
    "spark.buffer.pageSize": "1m",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # a session of minutes is not worth optimising
}


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """The session. Without Java or PySpark we skip its tests in one line; with CI=true they fail."""
    home = os.environ.get("JAVA_HOME")
    absent = [] if shutil.which("java", path=str(Path(home, "bin")) if home else None) else ["Java 17"]
    absent += [] if find_spec("pyspark") else ["PySpark"]
    if absent:
        message = f"Spark is not tested: there is no {' and no '.join(absent)} (CONTRIBUTING.md)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    session = open_session("local[1]", SMALL)
    yield session
    session.stop()
