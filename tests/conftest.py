"""Set the folder of the public data sets: $IFTAH_DATASETS_DIR, or `../shared/data` beside the checkout.

We never store them in the project.
"""

import gc
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from tests.effort import IN_FULL

os.environ.setdefault("COLUMNS", "120")  # output does not depend on the terminal; rich reads it when it makes a console
# Thousands of commits to files that no test keeps: in memory they need not wait for a disk.
# The processes of a test run share the cores already: threads of each for small tables would cost a fifth of its time.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
_IN_MEMORY = Path("/dev/shm")
if _IN_MEMORY.is_dir() and os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > 4 << 30:
    os.environ.setdefault("TMPDIR", str(_IN_MEMORY))

settings.register_profile("untimed", deadline=None)  # a test that fails under load says nothing about the code
if settings.get_current_profile_name() == "default":  # the mutations have their own
    settings.load_profile("untimed")

gc.disable()  # while modules are imported and tests collected, which only adds objects

_DEFAULT_DATA_DIR = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A usual run leaves out what is marked `in_full`, and counts it as deselected."""
    full_items = [] if IN_FULL else [item for item in items if item.get_closest_marker("in_full")]
    if full_items:
        config.hook.pytest_deselected(items=full_items)
        items[:] = [item for item in items if item not in full_items]


def pytest_collection_finish() -> None:
    """Imported and collected objects stay: the garbage collector need not traverse them, then seldom what tests make."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def pytest_sessionfinish() -> None:
    """Release all objects at the end: libraries report resources that nobody released."""
    gc.unfreeze()


def _data_set(name: str) -> Path:
    folder = Path(os.environ.get("IFTAH_DATASETS_DIR", _DEFAULT_DATA_DIR)) / name
    if folder.is_dir():
        return folder
    message = f"data set {name} is absent: set IFTAH_DATASETS_DIR to the folder that holds it"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


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
