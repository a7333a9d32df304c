"""JUnit XML: what came of the cases, for the test pages of CI systems."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from junitparser import Failure, JUnitXml, TestCase, TestSuite

from api.releases.findings import printable
from engine.cases import Outcome
from engine.errors import Refused


def write(path: Path, outcomes: Mapping[str, Iterable[Outcome]]) -> None:
    """The outcomes of each file, as a suite a file. Raises Refused when `path` cannot be written."""
    report = JUnitXml("iftah")
    for file, of_file in outcomes.items():
        suite = TestSuite(file)
        suite.add_testcases([_case(file, outcome) for outcome in of_file])
        report.add_testsuite(suite)
    report.update_statistics()  # type: ignore[no-untyped-call]  # the library's own types leave it out
    try:
        report.write(str(path), pretty=True)
    except OSError as error:
        raise Refused(f"cannot be written: {error.strerror}", where=str(path), code="not_written") from None


def _case(file: str, outcome: Outcome) -> TestCase:
    case = TestCase(printable(outcome.name), classname=file)
    if outcome.failures:
        failure = Failure(printable("; ".join(outcome.failures)), "case")
        failure.text = "\n".join(
            [f"{file}:{outcome.at.line}:{outcome.at.column}", *map(printable, (*outcome.failures, *outcome.why))]
        )
        case.result = [failure]
    return case
