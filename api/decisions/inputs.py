"""Inputs: everything that the answers to a batch of questions depend on, read in one round trip.

We run the same queries for every question: without consent, with an unknown id, or after an erasure. So the time of the
queries reveals nothing about the person.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from api.decisions import decisions, exposure
from api.decisions.decisions import ChainTail, DecisionResult, OtherChains
from api.decisions.exposure import PriorDecision
from api.decisions.question import EligibilityQuestion
from api.evidence import erasure_tombstones
from api.features import builds, pattern_flags, serving_features
from api.features.pattern_flags import Flags
from api.features.serving_features import ServingFeatures, ServingFeaturesBatch
from api.merchants import services
from api.merchants.services import Service
from api.runtime.context import AppContext
from api.store.clock import moment
from api.store.database import fetch_rows
from engine.lang.model.program import Program

ComputedFlags = dict[tuple[str, datetime], Flags]  # by person and by the moment at which their features were computed


class RulesMoved(Exception):
    """Another release came into force since the context was taken."""


@dataclass(frozen=True)
class ChainEnd:
    """The newest entry of the chain of decisions, None before the first, and the newest entries of the other chains."""

    newest: ChainTail | None
    chains: OtherChains

    @property
    def length(self) -> int:
        """The `seq` of the newest decision; 0 before the first."""
        return self.newest.seq if self.newest else 0

    @property
    def decided_at(self) -> datetime | None:
        """When the newest decision was made."""
        return moment(self.newest.decided_at) if self.newest else None


@dataclass(frozen=True)
class BatchInputs:
    """The inputs of a batch of questions.

    - `program`: the rules on the day of the newest build's `as_of`.
    - `earlier`: results of the same transactions.
    - `services`: the version in force, by merchant and name.
    - `features`: the features that each service may use now, by person, and those of a stand-in.
    - `flags`: by person, and those of the stand-in; `unflagged` lists the people whose flags you must compute first.
    - `prior`: earlier decisions that can count, by person, oldest first; by pseudonym those that were shared with the person.
    - `pseudonyms`: by person; those in `erased` belong to erased people.
    """

    program: Program
    earlier: Mapping[tuple[str, str], DecisionResult]
    services: Mapping[tuple[str, str], Service]
    features: ServingFeaturesBatch
    flags: Mapping[str, Flags]
    stand_in_flags: Flags
    unflagged: Mapping[str, ServingFeatures]
    prior: Mapping[str, Sequence[PriorDecision]]
    pseudonyms: Mapping[str, str]
    erased: frozenset[str]
    chain: ChainEnd


def load_inputs(
    context: AppContext, connection: Connection, questions: Sequence[EligibilityQuestion], computed: ComputedFlags
) -> BatchInputs:
    """Read the inputs of all questions, within a write transaction.

    Raises Rejected `not_ready` before the first build, and `RulesMoved` if the release log has a step that the context has not.
    """
    people, latest = {q.subject for q in questions}, max(q.asked_at for q in questions)
    pseudonyms, tombstones = erasure_tombstones.erased_query(context.database, people)
    names = people | set(pseudonyms.values())  # we store questions about an erased person by pseudonym
    build_rows, earlier, service_rows, prior_rows, newest, heads, erased, *feature_rows = fetch_rows(
        connection,
        builds.NEWEST_BUILD,
        decisions.transactions_query({q.transaction for q in questions if q.transaction}),
        services.newest_query({(q.merchant, q.service) for q in questions if q.service}),
        exposure.counting_decisions_query(names),
        decisions.NEWEST_DECISION,
        decisions.OTHER_HEADS,
        tombstones,
        *serving_features.queries_for(people, latest),
        exclusive=True,
    )
    chain = _chain_end(newest, heads)
    if context.head and chain.chains.release_log != context.head:
        raise RulesMoved
    if not context.head:  # a process that follows no log binds no step of it
        chain = replace(chain, chains=replace(chain.chains, release_log=decisions.GENESIS_HASH))
    build = builds.build_of_rows(build_rows)
    pairs = {(q.subject, q.grantee) for q in questions}
    features = serving_features.serving_features_batch(connection, context.release, build, pairs, latest, feature_rows)
    prior = exposure.prior_decisions(prior_rows, names)
    if features.has_links:  # for everyone, so that the time does not say whose ids are linked
        other_ids = {one for ids in features.linked.values() for one in ids} - names
        other_names = {one: erasure_tombstones.pseudonym(context.database, one) for one in other_ids}
        names_of_links = other_ids | set(other_names.values())
        (other_rows,) = fetch_rows(connection, exposure.counting_decisions_query(names_of_links))
        prior |= exposure.prior_decisions(other_rows, names_of_links)
        pseudonyms |= other_names
    flags, unflagged = _flags(context, features, computed)
    return BatchInputs(
        program=context.program(build),
        earlier=decisions.by_transaction(earlier),
        services=services.by_name(service_rows),
        features=features,
        flags=flags,
        stand_in_flags=pattern_flags.stored_flags_of(
            context.evaluators, features.stand_in.row_build, features.stand_in.stored_flags
        )
        or {},
        unflagged=unflagged,
        prior=prior,
        pseudonyms=pseudonyms,
        erased=frozenset(digest for (digest,) in erased),
        chain=chain,
    )


def _chain_end(newest: Sequence[tuple[Any, ...]], heads: Sequence[tuple[Any, ...]]) -> ChainEnd:
    hashes = dict(heads)
    chains = OtherChains(hashes.get(2, decisions.GENESIS_HASH), hashes.get(3, decisions.GENESIS_HASH))
    return ChainEnd(ChainTail(*newest[0]) if newest else None, chains)


def _flags(
    context: AppContext, features: ServingFeaturesBatch, computed: ComputedFlags
) -> tuple[dict[str, Flags], dict[str, ServingFeatures]]:
    """The flags by person, and the people without stored flags under the rules in force."""
    flags: dict[str, Flags] = {}
    unflagged: dict[str, ServingFeatures] = {}
    for person, row in _usable(features).items():
        stored = computed.get((person, row.row_build.computed_at))
        if stored is None:
            stored = pattern_flags.stored_flags_of(context.evaluators, row.row_build, row.stored_flags)
        if stored is None:
            unflagged[person] = row
        else:
            flags[person] = stored
    return flags, unflagged


def _usable(features: ServingFeaturesBatch) -> dict[str, ServingFeatures]:
    return {person: row for (person, _), row in features.by_pair.items() if isinstance(row, ServingFeatures)}


def compute_flags(
    context: AppContext, people: Mapping[str, ServingFeatures], classes: Collection[str]
) -> ComputedFlags:
    """Compute the flags of these people from their events. Call this outside the write transaction: it reads the ledger."""
    return {
        (person, row.row_build.computed_at): dict(
            pattern_flags.flags_of_person(context.database, context.evaluators, row.row_build, person, classes)
        )
        for person, row in people.items()
    }
