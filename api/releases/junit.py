"""Write the outcomes of cases as JUnit XML, for CI systems."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from junitparser import Failure, JUnitXml, TestCase, TestSuite

from api.releases.findings import printable
from engine.errors import Rejected
from engine.verify.cases import CaseOutcome


def write(path: Path, outcomes: Mapping[str, Iterable[CaseOutcome]]) -> None:
    """Write one test suite per file of cases. Raises Rejected `not_written` if we cannot write `path`."""
    report = JUnitXml("iftah")
    for file, of_file in outcomes.items():
        suite = TestSuite(file)
        suite.add_testcases([_case(file, outcome) for outcome in of_file])
        report.add_testsuite(suite)
    report.update_statistics()  # type: ignore[no-untyped-call]  # the library does not annotate it
    try:
        report.write(str(path), pretty=True)
    except OSError as error:
        raise Rejected(f"cannot be written: {error.strerror}", where=str(path), code="not_written") from None


def _case(file: str, outcome: CaseOutcome) -> TestCase:
    case = TestCase(printable(outcome.name), classname=file)
    if outcome.failures:
        failure = Failure(printable("; ".join(outcome.failures)), "case")
        failure.text = "\n".join(
            [
                f"{file}:{outcome.at.line}:{outcome.at.column}",
                *map(printable, (*outcome.failures, *outcome.explanation)),
            ]
        )
        case.result = [failure]
    return case
