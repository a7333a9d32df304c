"""The release log in the database: read it, and append to it. `api.releases.transitions` says what may be appended."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from api.releases.anchor import read_anchor, restored, write_anchor
from api.releases.release_states import ReleaseState
from api.releases.steps import Step, entry_hash, text_hash
from api.releases.transitions import advance
from api.store.database import Database, reading, writing
from api.store.tables import CHAIN_HEAD, RELEASE_LOG, RELEASE_OBJECTS
from engine.decide.decide import as_json
from engine.errors import IftahError, Rejected

HEAD_ID: Final = 3  # the row of `chain_head` for the release log
# Steps whose effect depends on the time. Others take the time of the newest step, if our clock is behind it.
TIMED: Final = ("schedule", "activation", "shadow", "share", "break_glass", "break_glass_end")
MAX_SKEW_MICROS: Final = 5_000_000  # by which the clocks of two machines may differ
HEAD: Final = select(CHAIN_HEAD.c.hash).where(CHAIN_HEAD.c.id == HEAD_ID)
_COLUMNS: Final = ("seq", "kind", "actor", "at", "proposal", "content", "key", "signature", "hash", "previous_hash")
_AFTER: Final = (
    select(*(RELEASE_LOG.c[name] for name in _COLUMNS))
    .where(RELEASE_LOG.c.seq > bindparam("after"))
    .order_by(RELEASE_LOG.c.seq)
)

_UNTIL: Final = (
    select(*(RELEASE_LOG.c[name] for name in _COLUMNS))
    .where(RELEASE_LOG.c.seq <= bindparam("until"))
    .order_by(RELEASE_LOG.c.seq)
)


def read_state(database: Database, state: ReleaseState | None = None) -> ReleaseState:
    """The state of the log now, verified from its first step. Raises Rejected as `catch_up`.

    `state`: that of an earlier read, from which we go on; we then look at the newest of its steps alone.
    """
    with reading(database) as connection:
        if state is not None:
            return catch_up(connection, state)
        earlier, digest = _verified_rows(connection, _VERIFIED.get(database))
        newest = catch_up(connection, earlier, digest)
        _VERIFIED[database] = VerifiedLog(newest, digest.digest())
    return newest


class VerifiedLog(NamedTuple):
    """A state, and the SHA-256 of all columns of the rows of the log that led to it."""

    state: ReleaseState
    digest: bytes


# What this process verified last. The same rows lead to the same state: so we compare their bytes, and verify only those that follow.
_VERIFIED: Final = WeakKeyDictionary[Database, VerifiedLog]()


def _verified_rows(connection: Connection, verified: VerifiedLog | None) -> tuple[ReleaseState, "hashlib._Hash"]:
    """The state that we verified, if every row that led to it is the same; else that of an empty log. With the hash of the rows."""
    digest = hashlib.sha256()
    if verified is not None:
        for row in connection.execute(_UNTIL, {"until": verified.state.seq}):
            _add_row(digest, row)
        if digest.digest() == verified.digest:
            return verified.state, digest
    return ReleaseState(), hashlib.sha256()


def _add_row(digest: "hashlib._Hash", row: Row[Any]) -> None:
    digest.update(repr(tuple(row)).encode())


def catch_up(connection: Connection, state: ReleaseState, digest: "hashlib._Hash | None" = None) -> ReleaseState:
    """The state after every step of the log that follows `state`. We add the rows of these steps to `digest`.

    Raises Rejected: `log_altered` if a step does not follow from those before it, `database_restored` if the log is shorter than
    `state`.
    """
    if state.seq and _hash_at(connection, state.seq) != state.hash:
        raise restored()
    for newest_state in states_after(connection, state, digest):
        state = newest_state
    length, newest = connection.execute(select(CHAIN_HEAD.c.length, CHAIN_HEAD.c.hash).where(_IS_HEAD)).one()
    if (length, newest) != (state.seq, state.hash):
        raise Rejected(f"the release log ends before step {length}", where="releases", code="log_altered")
    return state


def states_after(
    connection: Connection, state: ReleaseState, digest: "hashlib._Hash | None" = None
) -> Iterator[ReleaseState]:
    """The state after each step of the log that follows `state`. Raises Rejected `log_altered`."""
    for row in connection.execute(_AFTER, {"after": state.seq}):
        if digest is not None:
            _add_row(digest, row)
        state = _advance(state, _step_of(dict(row._mapping), state))
        yield state


def _step_of(row: dict[str, Any], state: ReleaseState) -> Step:
    """The step of a row, which must be byte for byte the one that we wrote after `state`."""
    previous, text = row.pop("previous_hash"), row.pop("content")
    try:
        step = Step(**row, content=dict(json.loads(text)))
        is_next = (step.seq, previous, step.hash) == (state.seq + 1, state.hash, entry_hash(state.hash, step))
        if is_next and as_json(dict(step.content)) == text:
            return step
    except (TypeError, ValueError, RecursionError):
        raise _altered(row["seq"], "it is not readable") from None
    raise _altered(row["seq"], "it does not follow the step before it")


_IS_HEAD: Final = CHAIN_HEAD.c.id == HEAD_ID


def _hash_at(connection: Connection, seq: int) -> str | None:
    hash_: str | None = connection.execute(select(RELEASE_LOG.c.hash).where(RELEASE_LOG.c.seq == seq)).scalar()
    return hash_


def _advance(state: ReleaseState, step: Step) -> ReleaseState:
    try:
        return advance(state, step)
    except IftahError as error:
        raise _altered(step.seq, str(error)) from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _altered(step.seq, "it is not readable") from None


def _altered(seq: int, reason: str) -> Rejected:
    return Rejected(f"step {seq} of the release log was altered: {reason}", where="releases", code="log_altered")


def append(
    database: Database,
    build: Callable[[ReleaseState], Sequence[Step]],
    objects: Iterable[str] = (),
    also: Callable[[Connection, ReleaseState], None] | None = None,
    state: ReleaseState | None = None,
) -> ReleaseState:
    """Append the steps that `build` makes of the newest state, in one transaction. Returns the state after them.

    `objects` are JSON texts that the steps name by their hash. `also` writes what must commit with them. `state`: that of an
    earlier read. Raises Rejected if a step is not allowed; then nothing is written.
    """
    before = state or read_state(database)  # so that nobody waits for us while we verify all of the log
    with writing(database) as connection:
        newest = catch_up(connection, before)
        after = newest
        for step in build(newest):
            after = _insert(connection, after, step)
        _store_objects(connection, objects)
        if also:
            also(connection, after)
    if read_anchor(database) is not None:  # this machine keeps an anchor
        write_anchor(database, after)
    return after


def _insert(connection: Connection, state: ReleaseState, step: Step) -> ReleaseState:
    if step.kind in TIMED and step.at < state.at - MAX_SKEW_MICROS:
        hint = "set this machine's clock right"
        raise Rejected("the clock is behind the newest step", where="releases", hint=hint, code="clock_behind")
    step = replace(step, at=max(step.at, state.at), seq=state.seq + 1)
    step = replace(step, hash=entry_hash(state.hash, step))
    after = advance(state, step)
    columns = {
        name: getattr(step, name) for name in ("seq", "kind", "actor", "at", "proposal", "key", "signature", "hash")
    }
    row = {**columns, "content": as_json(dict(step.content)), "previous_hash": state.hash}
    connection.execute(insert(RELEASE_LOG).values(row))
    connection.execute(update(CHAIN_HEAD).where(_IS_HEAD).values(length=CHAIN_HEAD.c.length + 1, hash=step.hash))
    return after


def _store_objects(connection: Connection, texts: Iterable[str]) -> None:
    rows = [{"hash": text_hash(text), "text": text} for text in texts]
    if rows:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(RELEASE_OBJECTS).on_conflict_do_nothing(), rows)


def read_object(database: Database, hash_: str) -> Any:
    """The JSON value that the log names by this hash. Raises Rejected `log_altered` if it is missing or another one."""
    with reading(database) as connection:
        text = connection.execute(select(RELEASE_OBJECTS.c.text).where(RELEASE_OBJECTS.c.hash == hash_)).scalar()
    if text is None or text_hash(text) != hash_:
        message = f"the text {hash_[:12]} of the release log is missing or was altered"
        raise Rejected(message, where="releases", code="log_altered")
    return json.loads(text)


def bundle_text(files: Mapping[str, str]) -> str:
    """The files as one canonical JSON text: `text_hash` of it names them."""
    return as_json(dict(files))


def file_hashes(files: Mapping[str, str]) -> dict[str, str]:
    """The SHA-256 of each file, by name."""
    return {name: text_hash(text) for name, text in sorted(files.items())}
