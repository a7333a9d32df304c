"""Releases in the database: kept, so that every decision can be made again."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from api.catalogue import kinds, schema
from api.database import reading, writing
from api.tables import RELEASES
from engine.errors import Refused
from engine.lang.check import stored_release
from engine.lang.lines import CasesFile, OrdersFile, PerksFile, ScorecardFile, WatchFile
from engine.lang.parse import parse
from engine.lang.policy import changes, policies
from engine.lang.problems import Report
from engine.lang.program import Release

log = logging.getLogger("iftah")


@dataclass(frozen=True)
class FolderRefused:
    """A changed folder that did not come into force: when it was tried, and what is wrong, a line each."""

    at: datetime
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Amendment:
    """A change of policy: when it came into force, and what it says, a line each."""

    at: datetime
    changes: tuple[str, ...]


def keep(engine: Engine, release: Release, now: int) -> Mapping[str, str]:
    """Write down that the release is in force from now on. Gives the files of the one before, or none when it was this one.

    `loaded_at` is when a release last came into force: the newest is the one in force.
    """
    with reading(engine) as connection:
        if (_newest(connection) or {}).get("id") == release.id:
            return {}
    with writing(engine) as connection:
        before = _newest(connection)
        if before and before["id"] == release.id:
            return {}
        at = max(now, before["loaded_at"] + 1) if before else now
        again = update(RELEASES).where(RELEASES.c.id == release.id).values(loaded_at=at)
        if not connection.execute(again).rowcount:
            row = {"id": release.id, "files": json.dumps(dict(release.files)), "loaded_at": at}
            connection.execute(insert(RELEASES).values(row))
    files: Mapping[str, str] = json.loads(before["files"]) if before else {}
    return files


def _newest(connection: Connection) -> dict[str, Any] | None:
    row = connection.execute(select(RELEASES).order_by(RELEASES.c.loaded_at.desc()).limit(1)).mappings().first()
    return dict(row) if row else None


def amendment(before: Mapping[str, str], after: Mapping[str, str], now: datetime) -> Amendment | None:
    """What the files `after` say otherwise about policy than those `before`, if there were any, and of what they have less: a
    warning in the log, a line each.
    """
    said = changes(policies(before), policies(after)) if before else ()
    for line in said:
        log.warning("the policy has changed: %s", line)
    less = fewer(before, after)
    for line in less:
        log.error("the rules folder has lost something: %s; is every file whole?", line)
    return Amendment(now, (*said, *less)) if said or less else None


def fewer(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """Of what a folder's files have less than those before had: perks, rules, cases. A file that breaks off may well check."""
    had, has = counted(before), counted(after)
    return tuple(f"{has[what]} {what}, {had[what]} before" for what in had if has[what] < had[what])


def counted(files: Mapping[str, str]) -> dict[str, int]:
    """How many perks, rules (lines that decide anything) and cases there are in files that read."""
    found = {"perks": 0, "rules": 0, "cases": 0}
    for name, text in files.items():
        match parse(name, text, Report()):
            case PerksFile(perks=perks):
                found["perks"] += len(perks)
                found["rules"] += sum(len(p.knockouts) + len(p.tiers) for p in perks)
            case ScorecardFile(characteristics=characteristics, rules=rules):
                found["rules"] += len(characteristics) + len(rules)
            case WatchFile(flags=flags):
                found["rules"] += len(flags)
            case OrdersFile(refusals=refusals, moves=moves):
                found["rules"] += len(refusals) + len(moves)
            case CasesFile(cases=cases, changes=changed):
                found["cases"] += len(cases) + len(changed)
    return found


def kept(engine: Engine, name: str) -> Release:
    """A release by its id, as it was. Raises Refused when it is not known."""
    with reading(engine) as connection:
        found = connection.execute(select(RELEASES.c.files).where(RELEASES.c.id == name)).scalar()
    if found is None:
        raise _unknown(name)
    return stored_release(name, json.loads(found), schema(), kinds())


def listed(engine: Engine) -> list[tuple[str, int]]:
    """Every release that was ever in force, newest first: its id, and when it last came into force (microseconds)."""
    query = select(RELEASES.c.id, RELEASES.c.loaded_at).order_by(RELEASES.c.loaded_at.desc())
    with reading(engine) as connection:
        return [(name, at) for name, at in connection.execute(query)]


def files_of(engine: Engine, name: str) -> tuple[int, Mapping[str, str]]:
    """When a release last came into force, and its files. Raises Refused when it is not known."""
    query = select(RELEASES.c.loaded_at, RELEASES.c.files).where(RELEASES.c.id == name)
    with reading(engine) as connection:
        found = connection.execute(query).first()
    if found is None:
        raise _unknown(name)
    return found.loaded_at, json.loads(found.files)


def _unknown(name: str) -> Refused:
    return Refused(f"there is no release `{name[:12]}`", where="release", code="unknown_release")
