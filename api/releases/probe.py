"""The probe: try out rules in a separate process before they make decisions.

With rules that it cannot handle, durable-rules hangs while it holds the interpreter's lock, or crashes: only a separate
process survives that. The process gets the texts of the files and nothing else. It checks and compiles them as the server
would, and compares the engines on synthetic people (`engine.verify.differential_test`). It prints a report as JSON, or the
reason of a failure in one line.

A process that hangs uses the processor without end, or waits without end. So we limit the processor time, which does not pass
while other processes use the machine. We limit the wall-clock time too, with a large margin.
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
from threading import Event, Thread
from time import monotonic, perf_counter
from typing import IO, Any, Final

from api.releases.catalogue import kinds, schema
from api.releases.feature_cases import case_features
from engine.decide.evaluators import Evaluators
from engine.errors import IftahError, Rejected
from engine.lang.check.release import release_of
from engine.lang.model.problems import Problem
from engine.lang.model.program import Release
from engine.verify import cases
from engine.verify.boundary_cases import PEOPLE
from engine.verify.differential_test import days, disagreement

# -P: do not import modules from the current directory
COMMAND: Final = (sys.executable, "-P", "-m", "api.releases.probe")
CPU_SECONDS: Final = 20  # processor time per program of the release; a program takes about 1 s
TIMEOUT_SECONDS: Final = 300.0  # wall-clock time per program, also on a busy machine
ALARM_SECONDS: Final = 360  # wall-clock time per program after which the process ends itself, if its parent has gone
POLL_SECONDS: Final = 0.1  # between checks whether the server stops
NO_MEMORY: Final = 75  # the status with which the process ends then
MAX_MESSAGE_CHARS: Final = 300  # characters of a line
MAX_FAILURES: Final = 20  # failed cases that we report


@dataclass(frozen=True)
class ProbeResult:
    """The result of a probe in which the engines agree: the number of people compared, and the seconds of each stage."""

    people: int
    seconds: Mapping[str, float]
    failures: tuple[str, ...] = ()  # failed cases, a line each; then the probe skips the comparison


class ProbeKilled(Rejected):
    """The process was killed or had no memory, so we do not know what it would have found: try again."""


class Probe:
    """The probe's process. `start` starts it, `close` ends it in any state; after that you can start it again.

    `stop`: set this event to end a wait for the process.
    """

    def __init__(self, command: Sequence[str] = COMMAND, stop: Event | None = None) -> None:
        self._command, self._stop = command, stop or Event()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Start a process that waits for files, unless one is running. Raises Rejected if the process cannot start."""
        if self._process is None:
            environment = {name: value for name, value in os.environ.items() if not name.startswith("IFTAH_")}
            pipe = subprocess.PIPE
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own command
                    # In its own session, so that Ctrl-C reaches only the server.
                    self._command,
                    stdin=pipe,
                    stdout=pipe,
                    stderr=pipe,
                    env=environment,
                    start_new_session=True,
                )
            except OSError as error:
                raise _killed(f"the probe cannot be started: {error.strerror}") from None
        return self._process

    def ask(
        self, release: Release, seconds: float = TIMEOUT_SECONDS, files: Mapping[str, str] | None = None
    ) -> ProbeResult:
        """Probe a release. `files`: the files of the release and their cases, which the probe runs.

        Raises Rejected, in one line, for a difference, any failure, or no answer within `seconds` per program, and ProbeKilled.
        """
        seconds *= len(release.programs)
        process, deadline = self.start(), monotonic() + seconds
        _send(process, json.dumps(dict(files or release.files)).encode())
        while not self._stop.is_set():
            try:
                output, error_output = process.communicate(timeout=POLL_SECONDS)
                return _result_of(release, process.returncode, output, error_output)
            except subprocess.TimeoutExpired:
                if monotonic() <= deadline:
                    continue
                raise _rejection(f"the probe did not end within {seconds:g} s") from None
        raise _rejection("the probe was stopped with the server")

    def close(self) -> None:
        """Kill the process if it is running, and wait for its end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                with suppress(OSError):  # the process did not read its input
                    pipe.close()
        process.wait()


def run_probe(
    release: Release,
    command: Sequence[str] = COMMAND,
    seconds: float = TIMEOUT_SECONDS,
    files: Mapping[str, str] | None = None,
) -> ProbeResult:
    """Probe a release in a new process. Raises Rejected as `Probe.ask`, and for a failed case."""
    probe = Probe(command)
    try:
        result = probe.ask(release, seconds, files)
        if result.failures:
            suffix = f", and {len(result.failures) - 1} more: see `iftah test`" if len(result.failures) > 1 else ""
            raise _rejection(f"{result.failures[0]}{suffix}")
        return result
    finally:
        probe.close()


def _send(process: subprocess.Popen[bytes], request: bytes) -> None:
    """Write the request in a thread. After a timeout `communicate` would not write the rest, and a pipe holds 64 KB."""
    pipe, process.stdin = process.stdin, None
    if pipe:
        Thread(target=_write, args=(pipe, request), daemon=True).start()


def _write(pipe: IO[bytes], request: bytes) -> None:
    with suppress(OSError), pipe:  # the process may end before it has read everything
        pipe.write(request)


def _result_of(release: Release, status: int, output: bytes, error_output: bytes) -> ProbeResult:
    if status == -signal.SIGXCPU:
        raise _rejection(f"the probe used more than {CPU_SECONDS * len(release.programs)} s of the processor")
    if status < 0:
        raise _killed(f"the probe was killed by {_signal_name(-status)}")
    if status == NO_MEMORY:
        raise _killed("the probe had not enough memory")
    if status:
        raise _rejection(_printable_last_line(error_output) or f"the probe failed with status {status}")
    try:
        report = json.loads(_last_line(output))
        name, people, seconds = report["release"], int(report["people"]), dict(report["seconds"])
        failures = tuple(map(str, report["failures"]))
    except (ValueError, KeyError, TypeError):
        raise _rejection("the probe printed no valid report") from None
    if name != release.id:  # the program on disk differs from the running program
        raise _rejection("the probe reads these rules differently: restart the server, the program on disk has changed")
    return ProbeResult(people, seconds, failures)


def _rejection(message: str) -> Rejected:
    return Rejected(message, where="rules", code="rules_refused")


def _killed(message: str) -> ProbeKilled:
    return ProbeKilled(message, where="rules", hint="look at this machine's memory, and try again", code="probe_killed")


def _printable_last_line(output: bytes) -> str:
    return "".join(c for c in _last_line(output) if c.isprintable())[:MAX_MESSAGE_CHARS]


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def main() -> None:
    """Run the probe's process: read files as JSON from stdin; print a report as JSON, or one line on stderr with status 1."""
    _limit_resources(1)
    files = json.load(sys.stdin)
    try:
        report = _run_checks(files)
    except IftahError as error:
        sys.exit(str(error))
    except MemoryError:
        sys.exit(NO_MEMORY)
    print(json.dumps(report))


def _limit_resources(programs: int) -> None:
    """Let SIGXCPU or SIGALRM end this process if it exceeds the limits for so many programs."""
    signal.alarm(ALARM_SECONDS * programs)
    _, hard_limit = resource.getrlimit(resource.RLIMIT_CPU)
    seconds = CPU_SECONDS * programs
    resource.setrlimit(
        resource.RLIMIT_CPU, (seconds if hard_limit == resource.RLIM_INFINITY else min(seconds, hard_limit), hard_limit)
    )


def _run_checks(files: Mapping[str, str]) -> dict[str, Any]:
    started_at = perf_counter()
    release = release_of(files, schema(), kinds())
    _limit_resources(len(release.programs))
    checked_at = perf_counter()
    if failures := _case_failures(release, files):
        return {"release": release.id, "people": 0, "seconds": {}, "failures": failures}
    tested_at = perf_counter()
    evaluators = Evaluators(release)
    for day in days(release):
        evaluators.pattern_evaluators(day)
    compiled_at = perf_counter()
    difference = disagreement(evaluators)
    if difference:
        raise IftahError(difference)
    stage_seconds = {
        "check": checked_at - started_at,
        "cases": tested_at - checked_at,
        "compile": compiled_at - tested_at,
        "compare": perf_counter() - compiled_at,
    }
    return {"release": release.id, "people": PEOPLE, "seconds": stage_seconds, "failures": []}


def _case_failures(release: Release, files: Mapping[str, str]) -> list[str]:
    """The failed cases, a line each."""
    outcomes = cases.run(release, files, schema(), kinds(), case_features)
    lines = (str(Problem("case", f"{o.name}: {failure}", o.at)) for o in outcomes for failure in o.failures)
    return ["".join(c for c in line if c.isprintable())[:MAX_MESSAGE_CHARS] for line in islice(lines, MAX_FAILURES)]


if __name__ == "__main__":
    main()
