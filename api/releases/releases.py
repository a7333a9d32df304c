"""Releases in the database: we keep each one, so that you can replay every decision."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from api.releases.catalogue import kinds, stored_schema
from api.releases.in_force import StoredReleaseRow, newest_row, store_release
from api.releases.release_log import append, bundle_text, read_state
from api.releases.release_states import ReleaseState
from api.releases.steps import COMMAND_LINE, Step, text_hash
from api.store.database import Database, reading
from api.store.tables import RELEASES
from engine.errors import Rejected
from engine.lang.check.policy_changes import changes, policies
from engine.lang.check.release import stored_release
from engine.lang.model.problems import Report
from engine.lang.model.program import Release
from engine.lang.syntax.ast import CasesFile, OrdersFile, PerksFile, ScorecardFile, WatchFile
from engine.lang.syntax.parse import parse

log = logging.getLogger("iftah")


@dataclass(frozen=True)
class FolderRejection:
    """A changed folder that we rejected: the time, and the problems, a line each."""

    at: datetime
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Amendment:
    """A change of policy: the time from which it is in force, and the changes, a line each."""

    at: datetime
    changes: tuple[str, ...]


def record_release(
    database: Database, release: Release, now: int, files: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """Put the release of a folder into force. `files`: with the cases. Returns the files of the previous release; empty if it
    was the same.

    Raises Rejected `needs_approval` where there is a second operator: then two people release rules.
    """
    active = read_state(database).in_force
    if active is not None and active.release == release.id:
        return {}
    bundle = bundle_text(files or release.files)
    previous: list[StoredReleaseRow] = []

    def step(state: ReleaseState) -> tuple[Step, ...]:
        content = {"release": release.id, "bundle": text_hash(bundle)}
        is_same = state.in_force is not None and state.in_force.release == release.id
        return () if is_same else (Step("folder", COMMAND_LINE, now, content=content),)

    def keep(connection: Connection, _: ReleaseState) -> None:
        row = newest_row(connection)
        if row is None or row.id != release.id:
            previous.extend([row] if row else [])
            store_release(connection, release, now)

    append(database, step, [bundle], keep)
    before: Mapping[str, str] = json.loads(previous[0].files) if previous else {}
    return before


def newest_files(connection: Connection) -> Mapping[str, str] | None:
    """The files of the release that came into force last; None if there is none."""
    row = newest_row(connection)
    return json.loads(row.files) if row else None


def amendment_of(before: Mapping[str, str], after: Mapping[str, str], now: datetime) -> Amendment | None:
    """The changes of policy between two sets of files, and the perks, rules and cases lost. We log each as a line. None
    without changes.
    """
    policy_changes = changes(policies(before), policies(after)) if before else ()
    for line in policy_changes:
        log.warning("the policy has changed: %s", line)
    losses = find_losses(before, after)
    for line in losses:
        log.error("the rules folder lost content: %s; is every file whole?", line)
    return Amendment(now, (*policy_changes, *losses)) if policy_changes or losses else None


def find_losses(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """The kinds of content of which the new files have less: perks, rules, cases. A truncated file can pass the check."""
    counts_before, counts_after = count_rules(before), count_rules(after)
    return tuple(
        f"{counts_after[kind]} {kind}, {counts_before[kind]} before"
        for kind in counts_before
        if counts_after[kind] < counts_before[kind]
    )


def count_rules(files: Mapping[str, str]) -> dict[str, int]:
    """Count perks, rules (lines that affect a decision) and cases in the files that parse."""
    counts = {"perks": 0, "rules": 0, "cases": 0}
    for name, text in files.items():
        match parse(name, text, Report()):
            case PerksFile(perks=perks):
                counts["perks"] += len(perks)
                counts["rules"] += sum(len(p.knockouts) + len(p.tiers) for p in perks)
            case ScorecardFile(characteristics=characteristics, rules=rules):
                counts["rules"] += len(characteristics) + len(rules)
            case WatchFile(flags=flags):
                counts["rules"] += len(flags)
            case OrdersFile(refusals=refusals, moves=moves):
                counts["rules"] += len(refusals) + len(moves)
            case CasesFile(cases=cases, changes=case_changes):
                counts["cases"] += len(cases) + len(case_changes)
    return counts


def load_release(database: Database, name: str) -> Release:
    """Load a stored release by its id. Raises Rejected `unknown_release`."""
    with reading(database) as connection:
        files = connection.execute(select(RELEASES.c.files).where(RELEASES.c.id == name)).scalar()
    if files is None:
        raise _unknown_release(name)
    texts: dict[str, str] = json.loads(files)
    return stored_release(name, texts, stored_schema(texts), kinds())


def list_releases(database: Database) -> list[tuple[str, int]]:
    """List all releases, newest first: the id, and the time of the last activation in microseconds."""
    query = select(RELEASES.c.id, RELEASES.c.loaded_at).order_by(RELEASES.c.loaded_at.desc())
    with reading(database) as connection:
        return [(name, at) for name, at in connection.execute(query)]


def files_of(database: Database, name: str) -> tuple[int, Mapping[str, str]]:
    """The time of a release's last activation in microseconds, and its files. Raises Rejected `unknown_release`."""
    query = select(RELEASES.c.loaded_at, RELEASES.c.files).where(RELEASES.c.id == name)
    with reading(database) as connection:
        row = connection.execute(query).first()
    if row is None:
        raise _unknown_release(name)
    return row.loaded_at, json.loads(row.files)


def _unknown_release(name: str) -> Rejected:
    return Rejected(f"there is no release `{name[:12]}`", where="release", code="unknown_release")
