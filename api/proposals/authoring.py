"""What an author of rules asks while writing: problems and cases, names that fit, the rules tried on a person, whom a change moves."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from api.decisions.score_explanation import explain_score
from api.features.builds import feature_changes
from api.features.distributions import Distributions, distributions
from api.features.meanings import feature_meanings
from api.releases.catalogue import kinds, schema
from api.releases.feature_cases import case_features
from api.runtime.context import AppContext
from api.supervision.swap_sets import SwapQuestion, compare_everyone
from engine.authoring.assessment import Assessment, assess_lines, read_written_values
from engine.authoring.names import RuleNames, names_of
from engine.changes.swap_report import SwapReport
from engine.errors import Rejected
from engine.lang.check.release import check
from engine.lang.model.conditions import Values
from engine.lang.model.problems import Problem, RulesError
from engine.lang.model.program import Program, Release
from engine.verify.cases import CaseOutcome, run

Files = Mapping[str, str]
CheckResult = tuple[Release | None, tuple[Problem, ...]]
MAX_PROBLEMS: Final = 20  # of rule files, in one error
MAX_PROBLEM_CHARS: Final = 200


def check_files(files: Files) -> CheckResult:
    """The release, or every problem. The page asks several times about one text, so we keep the last few results."""
    return _checked(tuple(sorted(files.items())))


def _check_uncached(files: tuple[tuple[str, str], ...]) -> CheckResult:
    return check(dict(files), schema(), kinds())


_checked: Final = lru_cache(maxsize=8)(_check_uncached)


def outcomes_by_file(release: Release, files: Files, only: Collection[str] | None) -> dict[str, list[CaseOutcome]]:
    """The outcomes of the cases, by file, as `iftah test` runs them. `only`: the files of cases to run; None: all."""
    selected = {name: text for name, text in files.items() if only is None or name in only}
    outcomes = defaultdict[str, list[CaseOutcome]](list)
    for outcome in run(release, selected, schema(), kinds(), case_features):
        outcomes[outcome.at.file].append(outcome)
    return dict(outcomes)


def require_release(files: Files) -> Release:
    """The release of these files. Raises Rejected `rules_refused` with the problems."""
    try:
        release, problems = check_files(files)
        if release is None:
            raise RulesError(problems)
    except RulesError as error:
        lines = "; ".join(str(problem)[:MAX_PROBLEM_CHARS] for problem in error.problems[:MAX_PROBLEMS])
        number = len(error.problems)
        count = f"the rules have {number} problem{'s' * (number != 1)}"
        raise Rejected(f"{count}: {lines}", where="files", hint="mend them", code="rules_refused") from None
    return release


@dataclass(frozen=True)
class DraftNames:
    """The names that fit into a draft, and the distributions of its features in the newest build."""

    names: RuleNames
    distributions: Distributions


def vocabulary(context: AppContext, files: Files, file: str, line: int, language: str) -> DraftNames:
    """The names for somebody who writes at a line of a file. A line that is not finished is left out, if that helps."""
    program = _program(context, files, file, line)
    names = names_of(program, _without_line(files, file, line), kinds(), feature_meanings(program, language), language)
    return DraftNames(names, distributions(context.database, program))


def _program(context: AppContext, files: Files, file: str, line: int) -> Program:
    """The newest rules of the files, without the line if they have a problem; those in force if they still have."""
    for candidate in (files, _without_line(files, file, line)):
        release, _ = check_files(candidate)
        if release is not None:
            return release.programs[-1]
    return context.release.programs[-1]


def _without_line(files: Files, file: str, line: int) -> Files:
    rows = files.get(file, "").split("\n")
    if 0 < line <= len(rows):
        rows[line - 1] = ""
    return {**files, file: "\n".join(rows)}


@dataclass(frozen=True)
class Trying:
    """A person for the rules of a draft. `missing`: the features that the draft reads and that nobody has computed yet."""

    assessment: Assessment
    program: Program
    as_of: datetime
    values: Values
    missing: tuple[str, ...] = ()


def try_values(files: Files, values: Mapping[str, str], as_of: datetime, amounts: Mapping[str, int]) -> Trying:
    """Try the rules on a made-up person. Raises Rejected: `rules_refused`, `bad_value`, `bad_amount`."""
    release = require_release(files)
    program = release.at(release.day(as_of))
    read_values = read_written_values(program, values)
    assessment = assess_lines(program, files, read_values, as_of, _amounts(program, amounts))
    return Trying(assessment, program, as_of, read_values)


def try_person(context: AppContext, files: Files, person: str, now: datetime, amounts: Mapping[str, int]) -> Trying:
    """Try the rules on a real person, by the values that we may use now. Raises Rejected as `explain_score`, and as `try_values`."""
    release = require_release(files)
    explanation = explain_score(context, person, now)
    as_of = explanation.build.as_of
    program = release.at(release.day(as_of))
    readable = {n: a for n, a in program.schema.items() if n in explanation.program.schema}
    same = {n for n, a in readable.items() if a.type == explanation.program.schema[n].type}
    values = {name: value for name, value in explanation.values.items() if name in same}
    assessment = assess_lines(program, files, values, as_of, _amounts(program, amounts))
    return Trying(assessment, program, as_of, values, tuple(name for name in program.reads if name not in same))


def _amounts(program: Program, amounts: Mapping[str, int]) -> Mapping[str, int]:
    return {name: amount for name, amount in amounts.items() if program.perk(name) is not None}


def measure_files(context: AppContext, files: Files) -> tuple[SwapReport, tuple[str, ...]]:
    """Whom the files move against the release in force, and why the newest build cannot serve them.

    Raises Rejected: `rules_refused`, `not_ready` before the first build.
    """
    release = require_release(files)
    report = compare_everyone(context.database, SwapQuestion(context.release, release), lambda *_: None)
    return report, feature_changes(context.database, release)
