"""Rows of the release log that somebody altered, and a database that was restored from an earlier state."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Connection, Engine, text

from api.proposals import activations, measurement, proposals
from api.releases import releases
from api.releases.anchor import verify
from api.releases.in_force import load_activation, load_proposal
from api.releases.release_log import catch_up, read_state
from api.releases.release_states import ReleaseState, manifest_hash
from api.releases.steps import Step, entry_hash
from api.runtime import bootstrap
from api.runtime.rules_in_force import EvaluatorsCache, context_of
from api.settings.settings import Settings
from api.store.clock import moment
from api.store.database import open_database
from tests.api.proposals.gate import (
    START,
    FollowingWorker,
    fingerprint,
    in_review,
    log_rows,
    rejected,
    release,
    scheduled,
)
from tests.api.proposals.tiny_rules import TEXTS, write_folder
from tests.api.proposals.two_people import TwoPeople
from tests.effort import every

# Rows that somebody altered.


@contextmanager
def altered(database: Engine, *statements: str, **values: Any) -> Iterator[Connection]:
    """Rows changed by somebody who has the database's own password, and undone at the end."""
    with database.connect() as connection, connection.begin() as transaction:
        if database.dialect.name == "sqlite":
            triggers = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for name in triggers:
                connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement), values)
        yield connection
        transaction.rollback()


def long_log(people: TwoPeople) -> None:
    """A log with steps of most kinds."""
    people.release(TEXTS["thirteen"])
    activations.roll_back(people.database, people.wang, "it was wrong", people.tick())
    number = in_review(people, "fourteen").number
    proposals.reject(people.database, people.li, number, "no", people.tick())
    scheduled(people)


OTHER_VALUES: Final[dict[str, str]] = {
    "seq": "seq + 1000",
    "kind": "'check'",
    "actor": "'mallory'",
    "at": "at + 1",
    "proposal": "coalesce(proposal, 0) + 1",
    "content": "replace(content, '{', '{ ')",
    "key": "'0000000000000000'",
    "signature": "'00'",
    "previous_hash": "'00'",
    "hash": "'00'",
}


@pytest.mark.parametrize("column", OTHER_VALUES)
def test_every_altered_value_of_the_release_log_shows(people: TwoPeople, column: str) -> None:
    long_log(people)
    alterations = 0
    for row in log_rows(people.database):
        change = f"UPDATE release_log SET {column} = {OTHER_VALUES[column]} WHERE seq = {row['seq']}"
        if column == "kind" and row["kind"] == "check":
            continue
        with altered(people.database, change) as connection:
            rejected("log_altered", lambda: catch_up(connection, ReleaseState()))
        alterations += 1
    assert alterations >= 15
    read_state(people.database)  # all is as before


def test_every_altered_byte_of_the_content_of_a_step_shows(people: TwoPeople) -> None:
    long_log(people)
    texts = [(row["seq"], row["content"]) for row in log_rows(people.database)]
    places = [(seq, content, place) for seq, content in texts for place in range(len(content))]
    for seq, content, place in every(41, places):
        flipped = f"{content[:place]}{chr(ord(content[place]) ^ 1)}{content[place + 1 :]}"
        change = "UPDATE release_log SET content = :content WHERE seq = :seq"
        with altered(people.database, change, content=flipped, seq=seq) as connection:
            rejected("log_altered", lambda: catch_up(connection, ReleaseState()))


def test_a_step_that_is_left_out_or_moved_shows(people: TwoPeople) -> None:
    long_log(people)
    last = len(log_rows(people.database))
    cuts = [f"DELETE FROM release_log WHERE seq = {seq}" for seq in (1, 5, last)]
    cuts += ["DELETE FROM release_log", "UPDATE chain_head SET length = length - 1 WHERE id = 3"]
    for cut in cuts:
        with altered(people.database, cut) as connection:
            rejected("log_altered", lambda: catch_up(connection, ReleaseState()))
    moves = (
        "UPDATE release_log SET seq = -1 WHERE seq = 3",
        "UPDATE release_log SET seq = 3 WHERE seq = 4",
        "UPDATE release_log SET seq = 4 WHERE seq = -1",
    )
    with altered(people.database, *moves) as connection:
        rejected("log_altered", lambda: catch_up(connection, ReleaseState()))


def test_a_whole_log_that_somebody_wrote_without_the_keys_is_not_believed(people: TwoPeople) -> None:
    """All hashes fit. The approval has no signature of Li: nobody else can make one."""
    number = in_review(people).number
    manifest = manifest_hash(people.state.proposals[number])
    forged = Step("approval", "li", people.tick(), number, {"manifest": manifest}, fingerprint(people.li), "00" * 64)
    state = people.state
    hash_ = entry_hash(state.hash, forged)
    row = (
        "INSERT INTO release_log (seq, kind, actor, at, proposal, content, key, signature, previous_hash, hash) VALUES "
        "(:seq, 'approval', 'li', :at, :proposal, :content, :key, :signature, :previous, :hash)"
    )
    values = {"seq": state.seq + 1, "at": forged.at, "proposal": number, "content": f'{{"manifest":"{manifest}"}}'}
    values |= {"key": forged.key, "signature": forged.signature, "previous": state.hash, "hash": hash_}
    head = "UPDATE chain_head SET length = length + 1, hash = :hash WHERE id = 3"
    with altered(people.database, row, head, **values) as connection:
        line = rejected("log_altered", lambda: catch_up(connection, ReleaseState()))
    assert "signature" in line


@contextmanager
def committed(database: Engine, table: str, column: str, key: str, value: str) -> Iterator[None]:
    """One value of a row changed, for all connections, until the end."""
    name = {"release_objects": "hash", "releases": "id"}[table]

    def write(new: str) -> None:
        with database.begin() as connection:
            triggers: list[Any] = []
            if database.dialect.name == "sqlite":
                query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :t"
                triggers = list(connection.execute(text(query), {"t": table}))
                for trigger, _ in triggers:
                    connection.execute(text(f"DROP TRIGGER {trigger}"))
            else:
                connection.execute(text("SET LOCAL session_replication_role = replica"))
            change = f"UPDATE {table} SET {column} = :new WHERE {name} = :key"
            assert connection.execute(text(change), {"new": new, "key": key}).rowcount == 1
            for _, sql in triggers:
                connection.exec_driver_sql(sql)

    with database.connect() as connection:
        query = f"SELECT {column} FROM {table} WHERE {name} = :key"
        before = str(connection.execute(text(query), {"key": key}).scalar_one())
    write(value)
    yield
    write(before)


def test_every_altered_text_that_the_log_names_shows(people: TwoPeople) -> None:
    proposal = people.release(TEXTS["thirteen"])
    state = people.state
    folder = state.activations[0]
    readers: dict[str, Callable[[], object]] = {
        proposal.bundle: lambda: load_proposal(people.database, proposal),
        str(proposal.effect): lambda: measurement.effect_of(people.database, proposal),
        str(folder.bundle): lambda: load_activation(people.database, state, folder),
    }
    with people.database.connect() as connection:
        objects = {row.hash: row.text for row in connection.execute(text("SELECT hash, text FROM release_objects"))}
    assert set(objects) == set(readers)
    for name, value in objects.items():
        for place in every(331, range(len(value))):
            flipped = f"{value[:place]}{chr(ord(value[place]) ^ 1)}{value[place + 1 :]}"
            with committed(people.database, "release_objects", "text", name, flipped):
                rejected("log_altered", readers[name])
        readers[name]()


def test_a_process_starts_under_the_rules_of_the_log_whatever_the_table_of_releases_says(
    people: TwoPeople, database_url: str, tmp_path: Path
) -> None:
    people.release(TEXTS["thirteen"])
    config = Settings(database_url=database_url, rules=write_folder(tmp_path / "rules", TEXTS["fourteen"]))
    name = release("thirteen").id
    other = json.dumps(dict(release("fourteen").files))
    with committed(people.database, "releases", "files", name, other):
        context = bootstrap.load_context(config)
        assert context.release.id == name
        assert context.release.files["perks.yaml"] == TEXTS["thirteen"]["perks.yaml"]
        context.evaluators.close()
        context.database.dispose()
        assert releases.load_release(people.database, name).id != name  # a replay compares the id, and says so


def test_a_database_from_before_the_log_is_verified_too(database: Engine) -> None:
    """The newest row of `releases` is in force until two people release: its files must have its name."""
    now = START
    releases.record_release(database, release("twelve"), now)
    with database.begin() as connection:  # as migration 0016 finds it
        if database.dialect.name == "sqlite":
            for trigger in ("release_log_refuse_delete", "release_objects_refuse_delete"):
                connection.execute(text(f"DROP TRIGGER {trigger}"))
        else:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        for table in ("release_log", "release_objects"):
            connection.execute(text(f"DELETE FROM {table}"))
        connection.execute(text("UPDATE chain_head SET length = 0, hash = :zero WHERE id = 3"), {"zero": "0" * 64})
    TwoPeople(database, now)
    load = partial(context_of, database, read_state(database), EvaluatorsCache(), moment(now))
    assert load().release.id == release("twelve").id
    other = json.dumps(dict(release("fourteen").files))
    with committed(database, "releases", "files", release("twelve").id, other):
        rejected("log_altered", load)


# A database that was restored.


class Restored:
    """A release of two people, then the back-up from before it. A worker that read the newer log goes on."""

    def __init__(self, database: Engine, *, has_anchor: bool) -> None:
        releases.record_release(database, release("twelve"), START, TEXTS["twelve"])
        people = TwoPeople(database, START)
        people.release(TEXTS["fourteen"])
        file = Path(str(database.url.database))
        with database.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(file, f"{file}.backup")
        people.release(TEXTS["thirteen"])
        if has_anchor:
            verify(database, people.state)  # as each process does at its start
        self.worker, self.url = FollowingWorker(database), f"sqlite:///{file}"
        database.dispose()
        for path in file.parent.glob(f"{file.name}-*"):
            path.unlink()
        shutil.copy(f"{file}.backup", file)


@pytest.mark.parametrize("has_anchor", [True, False])
def test_a_process_that_read_a_newer_log_says_that_the_database_was_restored(
    sqlite_database: Engine, has_anchor: bool
) -> None:
    restored = Restored(sqlite_database, has_anchor=has_anchor)
    worker, database = restored.worker, open_database(restored.url)
    line = rejected("database_restored", lambda: read_state(database, worker.context.log))
    assert "restored" in line
    context = worker.follower.catch_up()
    assert context.release.id == release("thirteen").id  # what two people released last goes on deciding here
    assert context.rejection
    assert "restored" in context.rejection.problems[0]
    database.dispose()


def test_a_process_does_not_start_on_a_restored_database(sqlite_database: Engine, tmp_path: Path) -> None:
    restored = Restored(sqlite_database, has_anchor=True)
    config = Settings(database_url=restored.url, rules=write_folder(tmp_path / "rules", TEXTS["twelve"]))
    rejected("database_restored", lambda: bootstrap.load_context(config))
