"""NetworkX's own tests, with its graphs turned into ours: `python -m tests.conformance [modules]`, or `make conformance`.

NetworkX converts the graphs of every call of a function that we offer, runs ours, and judges the answer; what is not
offered runs as it is. Without modules, all of its test suite: about five minutes. Ends with what passed, what is expected
to fail and why, and how often each of our functions was called.

This file is the runner and the plugin of pytest that makes the summary.
"""

import logging
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

from graph.offers import OFFERS

# Where NetworkX tests what we offer, and what is made of it: some seconds. Of the k-components, which ask for cores again
# and again, only those of a club: the others take ten seconds.
OFFERED: Final = (
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


def run(*modules: str, shown: bool = False) -> subprocess.CompletedProcess[str]:
    """The tests of some modules of NetworkX, or of all, in a process of their own, under none of our options of pytest.

    What it says is the caller's, or `shown` as it comes.
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
    judge = {"NETWORKX_TEST_BACKEND": "iftah", "NETWORKX_FALLBACK_TO_NX": "True"}
    said = None if shown else subprocess.PIPE
    root = Path(__file__).parents[1]
    return subprocess.run(command, cwd=root, env=os.environ | judge, stdout=said, text=True, check=False)


class _Calls(logging.Handler):
    """Counts what NetworkX says it runs with us."""

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith("Using backend '%s' for call to") and isinstance(record.args, tuple):
            _CALLS[str(record.args[1])] += 1


def pytest_configure(config: Any) -> None:
    log = logging.getLogger("networkx.utils.backends")
    log.setLevel(logging.DEBUG)
    log.propagate = False  # nobody else is to write the graphs out
    log.addHandler(_Calls())


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
    sys.exit(run(*sys.argv[1:], shown=True).returncode)
