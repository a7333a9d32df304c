"""Replay: any decision made again, under the release that it was made under, and compared with its record bit for bit."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from api.releases import releases
from api.supervision import audit
from api.world import World
from engine.decide import Decision, Question, Reference, as_json, decide, question_of
from engine.engines import Engines
from engine.errors import Refused
from engine.lang.program import Release

MOST: Final = 20  # differences that are told


@dataclass(frozen=True)
class Difference:
    """Where a decision made again is another: the place in the record, what is there, what came now, as JSON."""

    engine: str
    where: str
    recorded: str
    replayed: str


@dataclass(frozen=True)
class Replayed:
    """What came of deciding again: by the reference and by the online engine."""

    decision: str
    release: str
    equal: bool
    differences: tuple[Difference, ...]


def replay(world: World, name: str) -> Replayed:
    """Decide again what was decided, from the record alone.

    Raises Refused: `unknown_decision`, `erased` when the record has gone with the person, `not_replayable` when it is of
    a refusal, in which no rule was asked, or its release does not say what it said.
    """
    recorded = audit.record(world.database, name).get("decision")
    if not recorded or "question" not in recorded:
        hint = "no rule was asked in it"
        raise Refused(
            "this record is of no decision of the rules", where="decision_id", hint=hint, code="not_replayable"
        )
    question = question_of(recorded)
    release = _release(world, str(recorded["release"]))
    differences = tuple(_differences("reference", recorded, decide(Reference(release.at(question.day)), question)))
    differences += tuple(_differences("online", recorded, _online(world, release, question)))
    return Replayed(name, release.id, not differences, differences[:MOST])


def _release(world: World, name: str) -> Release:
    if name == world.release.id:
        return world.release
    kept = releases.kept(world.database, name)
    if kept.id != name:
        hint = "the table of releases was altered"
        raise Refused("the release is not what it was", where="release", hint=hint, code="not_replayable")
    return kept


def _online(world: World, release: Release, question: Question) -> Decision:
    if release is world.release:
        return decide(world.engines.at(question.day), question)
    with closing(Engines(release)) as engines:
        return decide(engines.at(question.day), question)


def _differences(engine: str, recorded: dict[str, Any], made: Decision) -> Iterator[Difference]:
    if as_json(recorded) != made.canonical():
        for where, was, became in _apart("", recorded, made.record()):
            yield Difference(engine, where, was, became)


def _apart(where: str, a: Any, b: Any) -> Iterator[tuple[str, str, str]]:
    """The places where two values are not the same JSON."""
    a, b = _plain(a), _plain(b)
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys()):
            yield from _apart(f"{where}.{key}" if where else key, a.get(key), b.get(key))
    elif (was := _text(a)) != (became := _text(b)):
        yield where, was, became


def _plain(value: Any) -> Any:
    return {str(i): v for i, v in enumerate(value)} if isinstance(value, list | tuple) else value


def _text(value: Any) -> str:
    return as_json({"": value})[4:-1]
