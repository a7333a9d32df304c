"""The probe: rules are tried out in a process of their own before they decide anything.

What durable-rules does with rules that it cannot take is to hang with the interpreter's lock held, or to crash: only
another process survives it. That process is given the texts of the files and nothing else, checks and compiles them as
this one would, and compares the engines on made-up people (`engine.probe`). It says `ok`, or why not in one line.

What hangs uses the processor without end, or waits without end. So the bound that matters is on processor time, which does not
pass while other work has the machine; time on the clock is bounded, too, but generously.
"""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from threading import Event
from time import monotonic, perf_counter
from typing import Any, Final

from api.catalogue import kinds, schema
from engine import cases
from engine.crowd import PEOPLE
from engine.engines import Engines
from engine.errors import IftahError, Refused
from engine.lang.check import release_of
from engine.lang.problems import Problem
from engine.lang.program import Release
from engine.probe import days, disagreement

# -P: whatever lies in the present folder is not imported
COMMAND: Final = (sys.executable, "-P", "-m", "api.releases.probe")
CPU_SECONDS: Final = 20  # of processor time for a program of the release; it takes about one
SECONDS: Final = 300.0  # on the clock for a program, whatever else the machine does
ALONE: Final = 360  # seconds for a program after which the process ends by itself, should nobody be there to end it
LOOK: Final = 0.1  # seconds from look to look whether the server stops
MOST_SAID: Final = 300  # characters of a line
MOST_FAILURES: Final = 20  # cases that are told


@dataclass(frozen=True)
class Probed:
    """What a probe found where the engines agree: on how many people, and the seconds that its stages took."""

    people: int
    seconds: Mapping[str, float]
    failures: tuple[str, ...] = ()  # of the cases beside the rules, a line each; then nothing more was tried


class Probe:
    """The process. `start` has it ready to be asked, `close` ends it, however it is; then it can be started again.

    `stop`, when set, ends waiting for it.
    """

    def __init__(self, command: Sequence[str] = COMMAND, stop: Event | None = None) -> None:
        self._command, self._stop = command, stop or Event()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """The process: one that waits for files, if there is none yet. Raises Refused when it cannot be had."""
        if self._process is None:
            own = {name: value for name, value in os.environ.items() if not name.startswith("IFTAH_")}
            pipe = subprocess.PIPE
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own command
                    # In a session of its own: Ctrl-C is for the server.
                    self._command,
                    stdin=pipe,
                    stdout=pipe,
                    stderr=pipe,
                    env=own,
                    start_new_session=True,
                )
            except OSError as error:
                raise _refused(f"the probe cannot be started: {error.strerror}") from None
        return self._process

    def ask(self, release: Release, seconds: float = SECONDS, files: Mapping[str, str] | None = None) -> Probed:
        """Probe a release. Raises Refused, in one line, for a difference, any failure, or no answer within
        `seconds` for each program. `files` are its own with the cases beside them, which are run.
        """
        seconds *= len(release.programs)
        process, until = self.start(), monotonic() + seconds
        sent: bytes | None = json.dumps(dict(files or release.files)).encode()
        while not self._stop.is_set():
            try:
                said, wrong = process.communicate(sent, timeout=LOOK)
                return _answer(release, process.returncode, said, wrong)
            except subprocess.TimeoutExpired:
                sent = None  # what was sent is sent
            if monotonic() > until:
                raise _refused(f"the probe did not end within {seconds:g} s")
        raise _refused("the probe was stopped with the server")

    def close(self) -> None:
        """End the process if it has not ended, and wait until it has."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                with suppress(OSError):  # what it never read
                    pipe.close()
        process.wait()


def probed(
    release: Release,
    command: Sequence[str] = COMMAND,
    seconds: float = SECONDS,
    files: Mapping[str, str] | None = None,
) -> Probed:
    """Probe a release, from the start of the process to its end. Raises Refused, also for a case that does not come out."""
    probe = Probe(command)
    try:
        found = probe.ask(release, seconds, files)
        if found.failures:
            more = f", and {len(found.failures) - 1} more: see `iftah test`" if len(found.failures) > 1 else ""
            raise _refused(f"{found.failures[0]}{more}")
        return found
    finally:
        probe.close()


def _answer(release: Release, status: int, said: bytes, wrong: bytes) -> Probed:
    if status == -signal.SIGXCPU:
        raise _refused(f"the probe used more than {CPU_SECONDS * len(release.programs)} s of the processor")
    if status < 0:
        raise _refused(f"the probe was killed by {_signal(-status)}")
    if status:
        raise _refused(_last(wrong) or f"the probe failed with status {status}")
    try:
        found = json.loads(_line(said))
        name, people, seconds = found["release"], int(found["people"]), dict(found["seconds"])
        failures = tuple(map(str, found["failures"]))
    except (ValueError, KeyError, TypeError):
        raise _refused("the probe did not say what it found") from None
    if name != release.id:  # the program on disk is not the one that runs
        raise _refused("the probe understands these rules otherwise: restart, for the program has changed")
    return Probed(people, seconds, failures)


def _refused(message: str) -> Refused:
    return Refused(message, where="rules", code="rules_refused")


def _last(said: bytes) -> str:
    return "".join(c for c in _line(said) if c.isprintable())[:MOST_SAID]


def _line(said: bytes) -> str:
    lines = said.decode(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def main() -> None:
    """The process itself: files as JSON on stdin; a report as JSON on stdout, or one line on stderr and status 1."""
    _bound(1)
    files = json.load(sys.stdin)
    try:
        report = _tried(files)
    except IftahError as error:
        sys.exit(str(error))
    print(json.dumps(report))


def _bound(programs: int) -> None:
    """End this process by SIGXCPU or SIGALRM when it takes too much for so many programs."""
    signal.alarm(ALONE * programs)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    seconds = CPU_SECONDS * programs
    resource.setrlimit(resource.RLIMIT_CPU, (seconds if most == resource.RLIM_INFINITY else min(seconds, most), most))


def _tried(files: Mapping[str, str]) -> dict[str, Any]:
    began = perf_counter()
    release = release_of(files, schema(), kinds())
    _bound(len(release.programs))
    checked = perf_counter()
    if failures := _failing(release, files):
        return {"release": release.id, "people": 0, "seconds": {}, "failures": failures}
    tested = perf_counter()
    engines = Engines(release)
    for day in days(release):
        engines.watchers(day)
    compiled = perf_counter()
    found = disagreement(engines)
    if found:
        raise IftahError(found)
    spent = {
        "check": checked - began,
        "cases": tested - checked,
        "compile": compiled - tested,
        "compare": perf_counter() - compiled,
    }
    return {"release": release.id, "people": PEOPLE, "seconds": spent, "failures": []}


def _failing(release: Release, files: Mapping[str, str]) -> list[str]:
    """The cases that do not come out, a line each."""
    outcomes = cases.run(release, files, schema(), kinds())
    lines = (str(Problem("case", f"{o.name}: {said}", o.at)) for o in outcomes for said in o.failures)
    return ["".join(c for c in line if c.isprintable())[:MOST_SAID] for line in islice(lines, MOST_FAILURES)]


if __name__ == "__main__":
    main()
