"""The probe of rules: bounded by the processor time that it uses, and only generously by the clock."""

import sys
from collections.abc import Iterator

import pytest

from api.releases import probe
from api.releases.probe import probed
from engine.errors import Refused
from tests.api.world import shipped

SPINS = """
from api.releases import probe
def spin(engines):
    while True: pass
probe.CPU_SECONDS, probe.disagreement = 4, spin
probe.main()
"""


def moments(*later: float) -> Iterator[float]:
    yield from later
    while True:
        yield later[-1]


def test_a_probe_that_other_work_holds_up_for_minutes_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = moments(0.0, 150.0)  # between the first look and the second nothing was done for us
    monkeypatch.setattr(probe, "monotonic", lambda: next(clock))
    assert probed(shipped()).people > 0


def test_a_probe_that_uses_the_processor_without_end_is_ended() -> None:
    with pytest.raises(Refused, match=r"the probe used more than \d+ s of the processor"):
        probed(shipped(), [sys.executable, "-c", SPINS])
