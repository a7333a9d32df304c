"""Releases: from a folder of rule files to what decides, and kept so that every decision can be made again."""

import json
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, insert, select

from api.catalogue import kinds, schema
from api.database import reading, writing
from api.tables import RELEASES
from engine import cases
from engine.errors import Refused
from engine.lang.check import check, release_of
from engine.lang.problems import Problem, Span
from engine.lang.program import Release

SUFFIX: Final = ".yaml"
LISTS: Final = "lists"  # the folder of lists within it


def rule_files(folder: Path) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """The texts of the folder's rule files by name, and those that are no text. Raises Refused for no folder or no file."""
    if not folder.is_dir():
        hint = "name the folder of rule files with IFTAH_RULES"
        raise Refused("there is no such folder", where=str(folder), hint=hint, code="no_rules")
    texts, problems = {}, []
    paths = (*folder.glob(f"*{SUFFIX}"), *folder.glob(f"{LISTS}/*{SUFFIX}"))
    for path in sorted(p for p in paths if p.is_file()):
        name = path.relative_to(folder).as_posix()
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


def problems_in(folder: Path) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """The files, and everything that is wrong with them, by place."""
    texts, unreadable = rule_files(folder)
    _, problems = check(texts, schema(), kinds())
    return texts, tuple(sorted((*unreadable, *problems), key=lambda p: p.at))


def failing_cases(texts: dict[str, str]) -> tuple[str, ...]:
    """The cases beside the rules that do not come out, each as one line with its place."""
    release = release_of(texts, schema(), kinds())
    outcomes = cases.run(release, texts, schema(), kinds())
    return tuple(f"{o.at.file}:{o.at.line}:{o.at.column} {o.name}: {said}" for o in outcomes for said in o.failures)


def load(folder: Path) -> Release:
    """The release in the folder. Raises RulesError with every problem, or Refused."""
    texts, unreadable = rule_files(folder)
    if unreadable:
        raise Refused(str(unreadable[0]), where=str(folder), code="rules_invalid")
    return release_of(texts, schema(), kinds())


def keep(engine: Engine, release: Release, now: int) -> None:
    """Write the release down, once."""
    with reading(engine) as connection:
        if connection.execute(select(RELEASES.c.id).where(RELEASES.c.id == release.id)).first():
            return
    with writing(engine) as connection:
        if not connection.execute(select(RELEASES.c.id).where(RELEASES.c.id == release.id)).first():
            row = {"id": release.id, "files": json.dumps(dict(release.files)), "loaded_at": now}
            connection.execute(insert(RELEASES).values(row))


def kept(engine: Engine, name: str) -> Release:
    """A release by its id, as it was. Raises Refused when it is not known."""
    with reading(engine) as connection:
        found = connection.execute(select(RELEASES.c.files).where(RELEASES.c.id == name)).scalar()
    if found is None:
        raise Refused(f"there is no release `{name[:12]}`", where="release", code="unknown_release")
    return release_of(json.loads(found), schema(), kinds())
