"""What is wrong with the release in force, with the decisions under it, and how late answers are: part of `tests.soak.releases`."""

import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from api.releases import releases
from api.releases.in_force import StoredReleaseRow, newest_row
from api.releases.release_log import read_state
from api.releases.release_states import ReleaseState
from api.runtime.rules_in_force import EvaluatorsCache, context_of
from api.store import clock
from api.store.database import Database, reading
from engine.decide.decide import ReferenceEvaluator, decide, question_from_record
from engine.errors import Rejected
from engine.lang.model.program import Release


def state_problems(database: Database) -> list[str]:
    """What is wrong with the release in force, in words: it must be one, the one of the log, which verifies from its beginning."""
    try:
        state, row = _state_and_row(database)
        context = context_of(database, state, EvaluatorsCache(), clock.now())
    except Rejected as error:
        return [str(error)]
    context.evaluators.close()
    active = state.in_force
    if active is None:
        return ["no release is in force"]
    problems = [] if context.release.id == active.release else ["a process starts under another release than the log's"]
    if row is None or row.id != active.release:  # it commits with the step of the log, or not at all
        problems.append("the table of releases names another one than the log")
    in_force = [p.number for p in state.proposals.values() if p.state == "in force"]
    if in_force != ([active.proposal] if active.proposal else []):
        problems.append(f"proposals in force: {in_force}, of the log: {active.proposal}")
    return problems


def _state_and_row(database: Database) -> tuple[ReleaseState, StoredReleaseRow | None]:
    """The state of the log, and the newest row of the table of releases at the same moment: other processes go on writing."""
    state = read_state(database)
    while True:
        with reading(database) as connection:
            row = newest_row(connection)
        after = read_state(database, state)
        if after.hash == state.hash:
            return state, row
        state = after


DECISIONS_SQL: Final = """
SELECT d.id, d.seq, d.release, d.decided_at, s.record FROM decisions d JOIN decision_subjects s ON s.seq = d.seq
WHERE d.outcome != 'REFUSED' ORDER BY d.seq"""
STEPS_SQL: Final = "SELECT seq, hash, kind FROM release_log ORDER BY seq"


def decision_problems(connection: Connection, database: Database, state: ReleaseState) -> list[str]:
    """The decisions that another release made than was in force at their step of the log, or that mix releases."""
    steps = {row.hash: row.seq for row in connection.execute(text(STEPS_SQL))}
    begins = [active.seq for active in state.activations]
    stored: dict[str, Release] = {}
    problems = []
    for row in connection.execute(text(DECISIONS_SQL)):
        record = json.loads(row.record)
        seq = steps.get(record.get("release_log", ""))
        if seq is None:
            problems.append(f"decision {row.seq} binds no step of the log")
            continue
        expected = state.activations[bisect_right(begins, seq) - 1].release
        if row.release != expected:
            problems.append(f"decision {row.seq} was made under {row.release[:12]}, not {expected[:12]}")
        if row.release not in stored:
            stored[row.release] = releases.load_release(database, row.release)
        question = question_from_record(record["decision"])
        replay = decide(ReferenceEvaluator(stored[row.release].at(question.day)), question)
        if json.loads(replay.canonical()) != record["decision"]:
            problems.append(f"decision {row.seq} is not what {row.release[:12]} alone decides")
    return problems


@dataclass(frozen=True)
class Lags:
    """Seconds by which answers came after the end of the release that made them, at the client."""

    received: tuple[float, ...]  # the answers that came after it, some of them under way
    sent: tuple[float, ...]  # those to questions that were sent after it: a process was behind


def lags(connection: Connection, answers: Mapping[str, tuple[float, float]], state: ReleaseState) -> Lags:
    """How late answers were. `answers`: when each decision was asked for and received, Unix time."""
    begins = [active.at / 1e6 for active in state.activations]
    hashes = {row.hash: row.seq for row in connection.execute(text(STEPS_SQL))}
    seqs = [active.seq for active in state.activations]
    sent, received = [], []
    for row in connection.execute(text(DECISIONS_SQL)):
        number = bisect_right(seqs, hashes.get(json.loads(row.record).get("release_log", ""), 0))
        if row.id in answers and number < len(begins):
            sent_at, received_at = answers[row.id]
            sent.append(sent_at - begins[number])
            received.append(received_at - begins[number])
    return Lags(*(tuple(lag for lag in rows if lag > 0) for rows in (received, sent)))
