"""A folder of rule files: read, checked, and loaded as a release."""

import re
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Final

from engine.errors import Rejected
from engine.lang.check.evidence import check_evidence
from engine.lang.check.release import check as check_texts
from engine.lang.check.release import release_of
from engine.lang.model.evidence import Evidence
from engine.lang.model.problems import Problem, Report, RulesError, SourceSpan
from engine.lang.model.program import Release
from engine.lang.syntax.evidence_ast import EvidenceFile
from engine.lang.syntax.parse import parse
from iftah.catalogue import kinds, schema

PATTERNS: Final = ("*.yaml", "lists/*.yaml")
_IS_EVIDENCE: Final = re.compile(r"^kind:\s*evidence\s*$", re.MULTILINE)


def load_rules(folder: str | PathLike[str]) -> Release:
    """The release that the rule files of a folder are.

    Raises RulesError with every problem when they do not check, and Rejected when there is no such folder or no file in it.

    >>> import iftah
    >>> release = iftah.load_rules("rules")
    >>> sorted(release.files)[:2]
    ['evidence.yaml', 'features.yaml']
    """
    return load_folder(Path(folder))


def check(folder: str | PathLike[str]) -> tuple[Problem, ...]:
    """Everything that is wrong with the rule files of a folder, by place; nothing when they check.

    The examples beside the rules are not run: `iftah check` on the command line does both. Raises Rejected when there is no
    such folder or no file in it.

    >>> import iftah, pathlib, tempfile
    >>> iftah.check("rules")
    ()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "policy.yaml").write_text("kind: polcy\\n")
    ...     for problem in iftah.check(folder)[:1]:
    ...         print(problem)
    policy.yaml:1:7 error R014 ...
    """
    return check_folder(Path(folder))[2]


def rule_paths(folder: Path) -> Iterator[tuple[str, Path]]:
    """The folder's rule files, each by its name from there, such as `lists/cities.yaml`."""
    for path in sorted(path for pattern in PATTERNS for path in folder.glob(pattern)):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def rule_files(folder: Path) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """Read the folder's rule files by name, and report the files that are not UTF-8. Raises Rejected `no_rules`."""
    if not folder.is_dir():
        hint = "name the folder of rule files with IFTAH_RULES"
        raise Rejected("there is no such folder", where=str(folder), hint=hint, code="no_rules")
    texts, problems = {}, []
    for name, path in rule_paths(folder):
        try:
            texts[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            problems.append(
                Problem("R008", f"byte {error.start} is not UTF-8", SourceSpan(name), "save the file as UTF-8")
            )
        except OSError as error:
            raise Rejected(f"cannot be read: {error.strerror}", where=str(path), code="no_rules") from None
    if not texts and not problems:
        raise Rejected(
            "there are no rule files", where=str(folder), hint="add trust.yaml and the others", code="no_rules"
        )
    return texts, tuple(problems)


def check_folder(folder: Path) -> tuple[dict[str, str], Release | None, tuple[Problem, ...]]:
    """Read and check the folder: its files, the release or None, and all problems by place. Raises Rejected `no_rules`."""
    texts, unreadable = rule_files(folder)
    release, problems = check_texts(texts, schema(), kinds())
    return texts, None if unreadable else release, tuple(sorted((*unreadable, *problems), key=lambda p: p.at))


def load_folder(folder: Path) -> Release:
    """Load the release of the folder. Raises RulesError with all problems, or Rejected."""
    texts, unreadable = rule_files(folder)
    if unreadable:
        raise Rejected(str(unreadable[0]), where=str(folder), code="rules_invalid")
    return release_of(texts, schema(), kinds())


def load_evidence(folder: Path) -> Evidence | None:
    """The kinds of events that the folder declares; None if it declares none.

    We read no other file. Raises RulesError for problems in this one.
    """
    return evidence_of(rule_files(folder)[0] if folder.is_dir() else {})


def evidence_of(texts: Mapping[str, str]) -> Evidence | None:
    """The same of the files' texts by name."""
    report = Report()
    files = [parse(name, text, report) for name, text in texts.items() if _IS_EVIDENCE.search(text)]
    evidence = [check_evidence(file, report) for file in files if isinstance(file, EvidenceFile)]
    if report.problems:
        raise RulesError(report.sorted_problems())
    return evidence[0] if evidence else None
