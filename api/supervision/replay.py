"""Replay a decision under its own release, and compare the result with the record bit for bit."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from api.releases import releases
from api.runtime.context import AppContext
from api.store.database import Database
from api.supervision import audit
from engine.decide.decide import Decision, DecisionInputs, ReferenceEvaluator, as_json, decide, question_from_record
from engine.decide.evaluators import Evaluators
from engine.errors import Rejected
from engine.lang.model.program import Release

MAX_DIFFERENCES: Final = 20  # differences that we report


@dataclass(frozen=True)
class Difference:
    """A difference between record and replay: the place in the record, and both values as JSON."""

    engine: str
    where: str
    recorded: str
    replayed: str


@dataclass(frozen=True)
class ReplayResult:
    """The result of a replay by the reference engine and by the online engine."""

    decision: str
    release: str
    equal: bool
    differences: tuple[Difference, ...]


def replay(context: AppContext, name: str) -> ReplayResult:
    """Decide again, from the record alone.

    Raises Rejected: `unknown_decision`; `erased` after the person's erasure; `not_replayable` if the record is of a refusal,
    which evaluated no rule, or if someone altered the stored release.
    """
    recorded = load_decision(context.database, name)
    question = question_from_record(recorded)
    release = load_release(context, str(recorded["release"]))
    differences = tuple(
        _differences("reference", recorded, decide(ReferenceEvaluator(release.at(question.day)), question))
    )
    differences += tuple(_differences("online", recorded, _decide_online(context, release, question)))
    return ReplayResult(name, release.id, not differences, differences[:MAX_DIFFERENCES])


def load_decision(database: Database, name: str) -> dict[str, Any]:
    """The recorded inputs and results of the rules. Raises Rejected as `replay`, without reading a release."""
    recorded: dict[str, Any] | None = audit.load_record(database, name).get("decision")
    if not recorded or "question" not in recorded:
        hint = "no rule was asked in it"
        raise Rejected(
            "this record is of no decision of the rules", where="decision_id", hint=hint, code="not_replayable"
        )
    return recorded


def load_release(context: AppContext, name: str) -> Release:
    """The release of a decision. Raises Rejected: `unknown_release`; `not_replayable` if somebody altered it."""
    if name == context.release.id:
        return context.release
    release = releases.load_release(context.database, name)
    if release.id != name:
        hint = "restore the table of releases from a backup"
        raise Rejected("the stored release was altered", where="release", hint=hint, code="not_replayable")
    return release


def _decide_online(context: AppContext, release: Release, question: DecisionInputs) -> Decision:
    if release is context.release:
        return decide(context.evaluators.at(question.day), question)
    with closing(Evaluators(release)) as evaluators:
        return decide(evaluators.at(question.day), question)


def _differences(evaluator_name: str, recorded: dict[str, Any], decision: Decision) -> Iterator[Difference]:
    if as_json(recorded) != decision.canonical():
        for where, recorded_text, now_text in _json_differences("", recorded, decision.record()):
            yield Difference(evaluator_name, where, recorded_text, now_text)


def _json_differences(where: str, a: Any, b: Any) -> Iterator[tuple[str, str, str]]:
    """Yield the places where two values differ as JSON, with both values."""
    a, b = _plain(a), _plain(b)
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys()):
            yield from _json_differences(f"{where}.{key}" if where else key, a.get(key), b.get(key))
    elif (recorded_text := _text(a)) != (now_text := _text(b)):
        yield where, recorded_text, now_text


def _plain(value: Any) -> Any:
    return {str(i): v for i, v in enumerate(value)} if isinstance(value, list | tuple) else value


def _text(value: Any) -> str:
    return as_json({"": value})[4:-1]
