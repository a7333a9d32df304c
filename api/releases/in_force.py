"""The release in force, as the release log names it: its files and its rules, verified at each load."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection, insert, select, update

from api.releases import release_states as states
from api.releases.catalogue import fingerprint, kinds, stored_schema
from api.releases.release_log import file_hashes, read_object
from api.releases.release_states import Activation, Proposal, ReleaseState
from api.store.database import Database, reading
from api.store.tables import RELEASES
from engine.errors import Rejected
from engine.lang.check.release import cases_in, stored_release
from engine.lang.model.program import Release

NEVER: Final = 0  # `loaded_at` of a release that was on trial only


class StoredRules(NamedTuple):
    """A release, and all of its files, with the cases."""

    release: Release
    files: Mapping[str, str]


class StoredReleaseRow(NamedTuple):
    """A row of `releases`: `files` is JSON, `loaded_at` in microseconds."""

    id: str
    files: str
    loaded_at: int


def newest_row(connection: Connection) -> StoredReleaseRow | None:
    """The release that came into force last. One that was only on trial did not."""
    columns = (RELEASES.c[name] for name in StoredReleaseRow._fields)
    query = select(*columns).where(RELEASES.c.loaded_at != NEVER).order_by(RELEASES.c.loaded_at.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else StoredReleaseRow(*row)


def store_release(connection: Connection, release: Release, now: int) -> None:
    """Keep the release for ever, and the time of its last activation: `now` in microseconds, or `NEVER` for a trial."""
    previous = newest_row(connection)
    is_named = RELEASES.c.id == release.id
    stored_at = connection.execute(select(RELEASES.c.loaded_at).where(is_named)).scalar()
    if stored_at is not None and now == NEVER:
        return
    loaded_at = max(now, previous.loaded_at + 1) if previous and now != NEVER else now
    if stored_at is None:
        row = {"id": release.id, "files": json.dumps(dict(release.files)), "loaded_at": loaded_at}
        connection.execute(insert(RELEASES).values(row))
    else:
        connection.execute(update(RELEASES).where(is_named).values(loaded_at=loaded_at))


def load_activation(database: Database, state: ReleaseState, active: Activation) -> StoredRules:
    """The rules of an activation. Raises Rejected `log_altered` if they are not those that the log names."""
    if active.proposal is not None:
        return load_proposal(database, state.proposals[active.proposal])
    return _load_bundle(database, active.bundle, active.release)


def load_proposal(database: Database, proposal: Proposal) -> StoredRules:
    """The rules of a proposal that was checked. Raises Rejected as `load_activation`."""
    rules = _load_bundle(database, proposal.bundle, str(proposal.release))
    if file_hashes(rules.files) != dict(proposal.files):
        raise _altered(f"the files of proposal {proposal.number}")
    return rules


def _load_bundle(database: Database, bundle: str | None, name: str) -> StoredRules:
    if bundle is None:  # it came into force before there was a log
        with reading(database) as connection:
            text = connection.execute(select(RELEASES.c.files).where(RELEASES.c.id == name)).scalar()
        files: Mapping[str, str] = json.loads(text or "{}")
    else:
        files = read_object(database, bundle)
    deciding = {file: text for file, text in files.items() if file not in cases_in(files)}
    release = stored_release(name, deciding, stored_schema(deciding), kinds())
    if release.id != name:
        raise _altered(f"the files of the release {name[:12]}")
    return StoredRules(release, files)


def definitions_hash(release: Release) -> str:
    """The SHA-256 over the definitions of all features that the release can read, in each of its periods."""
    texts = [fingerprint(program) for program in release.programs]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def require_definitions(proposal: Proposal, release: Release) -> None:
    """Raise Rejected `definitions_moved` if this version of the program computes other features than were approved."""
    if proposal.definitions != definitions_hash(release):
        message = f"the features of this version are not those of proposal {proposal.number}"
        hint = f"propose it anew: `iftah propose --revise {proposal.number}`"
        raise Rejected(message, where="releases", hint=hint, code="definitions_moved")


def newest_activation(database: Database, state: ReleaseState) -> Activation | None:
    """The activation in force; for a database from before the log, one of the newest release."""
    if state.in_force is not None:
        return state.in_force
    with reading(database) as connection:
        row = newest_row(connection)
    return None if row is None else Activation(0, "", "folder", row.id, None, "operator", row.loaded_at)


def trial_of(state: ReleaseState) -> Proposal | None:
    """The proposal in shadow or in partial release, or None."""
    proposal = None if state.trial is None else state.proposals[state.trial]
    return proposal if proposal and proposal.state in states.TRIALS else None


def _altered(thing: str) -> Rejected:
    return Rejected(f"{thing} are not those that the release log names", where="releases", code="log_altered")
