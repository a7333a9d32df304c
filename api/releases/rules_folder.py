"""The folder of rule files: read, checked, and loaded as a release. Without the database, which a check does not need."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from api.catalogue import kinds, schema
from engine.errors import Refused
from engine.lang.check import check, release_of
from engine.lang.problems import Problem, Span
from engine.lang.program import Release

PATTERNS: Final = ("*.yaml", "lists/*.yaml")


def rule_paths(folder: Path) -> Iterator[tuple[str, Path]]:
    """The folder's rule files, each by its name from there, such as `lists/cities.yaml`."""
    for path in sorted(path for pattern in PATTERNS for path in folder.glob(pattern)):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def rule_files(folder: Path) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """The texts of the folder's rule files by name, and those that are no text. Raises Refused for no folder or no file."""
    if not folder.is_dir():
        hint = "name the folder of rule files with IFTAH_RULES"
        raise Refused("there is no such folder", where=str(folder), hint=hint, code="no_rules")
    texts, problems = {}, []
    for name, path in rule_paths(folder):
        try:
            texts[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            problems.append(Problem("R008", f"byte {error.start} is not UTF-8", Span(name), "save the file as UTF-8"))
        except OSError as error:
            raise Refused(f"cannot be read: {error.strerror}", where=str(path), code="no_rules") from None
    if not texts and not problems:
        raise Refused(
            "there are no rule files", where=str(folder), hint="add trust.yaml and the others", code="no_rules"
        )
    return texts, tuple(problems)


def checked(folder: Path) -> tuple[dict[str, str], Release | None, tuple[Problem, ...]]:
    """The files, the release that they are, or everything that is wrong with them by place. Raises Refused for no file."""
    texts, unreadable = rule_files(folder)
    release, problems = check(texts, schema(), kinds())
    return texts, None if unreadable else release, tuple(sorted((*unreadable, *problems), key=lambda p: p.at))


def load(folder: Path) -> Release:
    """The release in the folder. Raises RulesError with every problem, or Refused."""
    texts, unreadable = rule_files(folder)
    if unreadable:
        raise Refused(str(unreadable[0]), where=str(folder), code="rules_invalid")
    return release_of(texts, schema(), kinds())
