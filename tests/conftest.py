"""Where the public data sets are: $IFTAH_DATA, or `../shared/data` beside the checkout. They are never in the project."""

import gc
import os
import shutil
from pathlib import Path

import pytest

os.environ.setdefault("COLUMNS", "120")  # what is printed does not depend on the terminal, read when a console is made
# Thousands of commits to files that no test keeps: in memory they wait for no disk.
_IN_MEMORY = Path("/dev/shm")
if _IN_MEMORY.is_dir() and os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > 4 << 30:
    os.environ.setdefault("TMPDIR", str(_IN_MEMORY))

_BESIDE = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def pytest_collection_finish() -> None:
    """What is imported and collected stays: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """At the end everything goes: libraries tell of what was never let go."""
    gc.unfreeze()


def _data_set(name: str) -> Path:
    folder = Path(os.environ.get("IFTAH_DATA", _BESIDE)) / name
    if folder.is_dir():
        return folder
    absent = f"data set {name} is absent: set IFTAH_DATA to the folder that holds it"
    if os.environ.get("CI") == "true":
        pytest.fail(absent)
    pytest.skip(absent)


@pytest.fixture(scope="session")
def berka_folder() -> Path:
    return _data_set("berka")


@pytest.fixture(scope="session")
def otc_folder() -> Path:
    return _data_set("bitcoin-otc")


@pytest.fixture(scope="session")
def sybil_folder() -> Path:
    return _data_set("facebook-sybil")


@pytest.fixture(scope="session")
def amlsim_folder() -> Path:
    return _data_set("amlsim")
