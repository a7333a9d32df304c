"""The probe of rules: we limit its processor time, and with a large margin its wall-clock time."""

import sys
from collections.abc import Iterator

import pytest

from api.releases import probe
from api.releases.probe import run_probe
from engine.errors import Rejected
from tests.api.town import shipped_release

SPINNING_PROBE = """
from api.releases import probe
def spin(engines):
    while True: pass
probe.CPU_SECONDS, probe.disagreement = 3, spin
probe.main()
"""

LATE_PROBE = """
import time
time.sleep(0.5)
from api.releases import probe
probe.disagreement = lambda evaluators: None
probe.main()
"""


def moments(*times: float) -> Iterator[float]:
    yield from times
    while True:
        yield times[-1]


def test_a_probe_delayed_by_other_work_is_not_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = moments(0.0, 150.0)  # between the first look and the second nothing was done for us
    monkeypatch.setattr(probe, "monotonic", lambda: next(clock))
    assert run_probe(shipped_release()).people > 0


def test_a_probe_that_exceeds_its_processor_time_is_killed() -> None:
    with pytest.raises(Rejected, match=r"the probe used more than \d+ s of the processor"):
        run_probe(shipped_release(), [sys.executable, "-c", SPINNING_PROBE])


def test_a_probe_that_reads_late_gets_files_larger_than_a_pipe_holds() -> None:
    """A pipe holds 64 KB. We ask several times a second whether the server stops, before the probe reads the first byte."""
    files = shipped_release().files
    large = {**files, "perks.yaml": files["perks.yaml"] + "# a comment\n" * 40_000}
    assert run_probe(shipped_release(), [sys.executable, "-c", LATE_PROBE], seconds=30, files=large).seconds
