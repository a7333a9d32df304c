"""Run NetworkX's own tests with our backend: `python -m tests.conformance [modules]`, or `make conformance`.

NetworkX converts the graphs of every call of a function that we offer, runs ours, and judges the answer. It runs other functions
itself. Without modules we run its whole test suite: about five minutes. At the end we print the passed tests, the expected failures
with reasons, and the number of calls of each of our functions.

This file is the runner, and the pytest plugin that makes the summary.
"""

import logging
import os
import subprocess
import sys
from collections import Counter
from typing import Any, Final

from graph.backend.backend_info import OFFERS
from tests.paths import ROOT

# The modules with NetworkX's tests of functions that we offer: some seconds. For k-components, which compute cores again and
# again, we take only the test of a club: the others take ten seconds.
TEST_MODULES: Final = (
    "networkx.algorithms.approximation.tests.test_kcomponents::test_karate_0",
    "networkx.algorithms.approximation.tests.test_kcomponents::test_karate_1",
    "networkx.algorithms.assortativity",
    "networkx.algorithms.centrality.tests.test_degree_centrality",
    "networkx.algorithms.community.tests.test_louvain",
    "networkx.algorithms.components",
    "networkx.algorithms.link_analysis",
    "networkx.algorithms.shortest_paths.tests.test_unweighted",
    "networkx.algorithms.tests.test_cluster",
    "networkx.algorithms.tests.test_core",
    "networkx.algorithms.tests.test_reciprocity",
    "networkx.algorithms.traversal",
    "networkx.classes.tests.test_function",
    "networkx.generators.tests.test_ego",
    "networkx.tests.test_convert_scipy",
)
_CALLS: Final[Counter[str]] = Counter()


def run(*modules: str, show_output: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the tests of some modules of NetworkX, or of all, in a process of their own, without our pytest options.

    Returns the output, or prints it as it comes with `shown`.
    """
    options = (
        "-c",
        os.devnull,
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.conformance",
        "-q",
        "--no-header",
        "--disable-warnings",
    )
    command = [sys.executable, "-m", "pytest", *options, "--pyargs", *(modules or ("networkx",))]
    backend_env = {"NETWORKX_TEST_BACKEND": "iftah", "NETWORKX_FALLBACK_TO_NX": "True"}
    stdout = None if show_output else subprocess.PIPE
    root = ROOT
    return subprocess.run(command, cwd=root, env=os.environ | backend_env, stdout=stdout, text=True, check=False)


class _CallCounter(logging.Handler):
    """Count the calls that NetworkX logs for our backend."""

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith("Using backend '%s' for call to") and isinstance(record.args, tuple):
            _CALLS[str(record.args[1])] += 1


def pytest_configure(config: Any) -> None:
    log = logging.getLogger("networkx.utils.backends")
    log.setLevel(logging.DEBUG)
    log.propagate = False  # no other handler may write the graphs out
    log.addHandler(_CallCounter())


def pytest_terminal_summary(terminalreporter: Any) -> None:
    stats, say = terminalreporter.stats, terminalreporter.write_line
    say("")
    say(", ".join(f"{len(stats.get(kind, ()))} {kind}" for kind in ("passed", "xfailed", "failed", "error", "skipped")))
    reasons: dict[str, list[str]] = {}
    for report in stats.get("xfailed", ()):
        reasons.setdefault(report.wasxfail, []).append(report.location[2])
    for reason, tests in sorted(reasons.items()):
        say(f"expected to fail, {reason}: {', '.join(tests)}")
    say("calls: " + ", ".join(f"{name} {_CALLS[name]:,}" for name in sorted(OFFERS)))


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:], show_output=True).returncode)
