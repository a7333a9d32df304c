"""Decide a batch of questions: pure, from the inputs that we read for all of them.

Every question takes the same steps. Without consent we decide on another person's features and discard the result, so
the time that an answer takes reveals nothing about the person.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from api.decisions import counting_decisions, decisions, exposure
from api.decisions.decisions import DecisionResult, DecisionRow, TrialAnswer
from api.decisions.exposure import PriorDecision, PriorDecisions
from api.decisions.inputs import BatchInputs
from api.decisions.question import EligibilityQuestion
from api.decisions.trials import decide_on_trial
from api.features import pattern_flags, serving_features
from api.features.pattern_flags import Flags
from api.features.serving_features import ServingFeatures
from api.merchants import services
from api.merchants.services import Service
from api.runtime.context import AppContext
from api.store.clock import iso, micros, refuse_far_ahead
from api.store.statements import Query
from engine.decide.decide import Decision, DecisionInputs
from engine.decide.questions import read_context, require_perk
from engine.errors import IftahError, Rejected
from engine.lang.model.program import Perk, Program
from engine.lang.model.types import Value

REPEAT_WINDOW: Final = timedelta(hours=24)  # in which the same transaction gets the same answer
AMOUNTS_WINDOW: Final = timedelta(hours=24)  # in which we count the amounts that a merchant asks about a person
MAX_AMOUNTS: Final = 5  # different amounts, in that window
NO_CONSENT: Final = "no_consent"


class Batch:
    """Decide the questions of a batch in order: each decision counts for the next. `rows` are the decisions to write.

    What we decide about linked ids goes on counting for each of them after the link has ended. So do the earlier decisions
    that stand then, in `shared`. Else a person who ends a link would get every perk a second time.
    """

    def __init__(self, context: AppContext, inputs: BatchInputs) -> None:
        self.context, self.inputs = context, inputs
        self.rows: list[DecisionRow] = []
        self._earlier = dict(inputs.earlier)
        self.shared: set[tuple[str, int]] = set()  # earlier decisions to share: pseudonym and `seq`
        self._prior = {person: list(rows) for person, rows in inputs.prior.items()}

    def decide_all(self, questions: Iterable[EligibilityQuestion]) -> list[DecisionResult | IftahError]:
        """The result of each question, or why there is none."""
        return [self._result(question) for question in questions]

    def forgetting(self, now: datetime) -> list[Query]:
        """The statements that take decisions off the lists of these people which can count no more."""
        of_links = {name: self.inputs.prior[name] for row in self.rows for name in row.linked}
        spent = {
            row.subject: counting_decisions.spent(self._prior[row.subject], now, AMOUNTS_WINDOW) for row in self.rows
        }
        spent |= {n: counting_decisions.spent(of_links[n], now, AMOUNTS_WINDOW, of_links=True) for n in of_links}
        return [
            counting_decisions.forget_query(name, seqs)
            for name, seqs in spent.items()
            if len(seqs) > counting_decisions.MAX_SPENT
        ]

    def _result(self, question: EligibilityQuestion) -> DecisionResult | IftahError:
        try:
            refuse_far_ahead(question.asked_at, self.inputs.chain.decided_at)
            earlier = self._earlier.get(question.transaction) if question.transaction else None
            return repeat_result(earlier, question) if earlier else self._decide_new(question)
        except IftahError as error:
            return error

    def _decide_new(self, question: EligibilityQuestion) -> DecisionResult:
        usable = self.inputs.features.by_pair[question.subject, question.grantee]
        question, perk = self._under_terms(question)
        fields = read_context(perk, question.context)
        question = self._pseudonymous(question)
        reject_probing(self._prior[question.subject], question)  # by the id: else a merchant could find out links
        if isinstance(usable, Rejected) and usable.code != serving_features.UNKNOWN_PERSON:
            raise usable
        if isinstance(usable, Rejected):
            features, flags = self.inputs.features.stand_in, self.inputs.stand_in_flags
        else:
            features, flags = usable, self.inputs.flags[question.subject]
        prior = self._prior_of(question.subject, features)
        decision, answers = self._decide(question, features, flags, fields, prior)
        shared = tuple(p.seq for p in prior.shared)
        row = decisions.row_of(question, decision, self.inputs.chain.chains, shared)
        row = replace(row, trial=answers)
        if isinstance(usable, Rejected):
            if question.service is None:  # the system itself asks, so no merchant can learn anything
                raise usable
            refusal = decisions.refusal_of(question, row, NO_CONSENT, self.inputs.chain.chains)
            # As many rows as for a decision, so that the time to write them says nothing.
            self._add(replace(refusal, trial=tuple(replace(one, outcome=decisions.REFUSED) for one in answers)))
            raise no_consent()
        self._share(prior, row.linked, question)
        return self._add(row)

    def _under_terms(self, question: EligibilityQuestion) -> tuple[EligibilityQuestion, Perk]:
        """The question with the service's terms. Raises Rejected if the question is invalid for every person."""
        if question.service is not None:
            service = self.inputs.services.get((question.merchant, question.service))
            if service is None:
                raise services.unknown_service()
            pseudonym = self.inputs.pseudonyms[question.subject]
            question = under_terms(service, self.inputs.program, question, pseudonym)
        return question, require_perk(self.inputs.program, question.perk, question.amount, question.currency)

    def _pseudonymous(self, question: EligibilityQuestion) -> EligibilityQuestion:
        """For an erased person, the question as we may store it: by pseudonym, without the request's own fields."""
        pseudonym = self.inputs.pseudonyms[question.subject]
        return replace(question, subject=pseudonym, context={}) if pseudonym in self.inputs.erased else question

    def _decide(
        self,
        question: EligibilityQuestion,
        features: ServingFeatures,
        flags: Flags,
        fields: dict[str, Value | None],
        prior: PriorDecisions,
    ) -> tuple[Decision, tuple[TrialAnswer, ...]]:
        program = self.context.program(features.row_build)
        before = exposure.exposure_of(prior.all, question.merchant, question.perk, question.asked_at)
        inputs = DecisionInputs(
            subject=question.subject,
            perk=question.perk,
            amount=question.amount,
            currency=question.currency,
            as_of=iso(features.row_build.as_of),
            known_at=iso(features.row_build.known_at),
            global_as_of=iso(features.build.as_of),
            global_known_at=iso(features.build.known_at),
            asked_at=iso(question.asked_at),
            purpose=features.build.purpose,
            values=features.values | pattern_flags.consented_flags(program, flags, features.classes),
            context=fields,
            used=before.used,
            held_since=before.held_since,
            timezone=self.context.release.timezone,
            definitions=features.row_build.catalogue,
            in_service=before.in_service,
            unpaid=before.unpaid,
            overdue=before.overdue,
            linked=tuple(sorted(self.inputs.pseudonyms[one] for one in features.linked)) or None,
        )
        return decide_on_trial(self.context, inputs, question.merchant, self._pseudonyms_of(question, features))

    def _pseudonyms_of(self, question: EligibilityQuestion, features: ServingFeatures) -> list[str]:
        """The pseudonyms of all ids of the person."""
        ids = {question.subject, *features.linked}
        return [self.inputs.pseudonyms[one] for one in ids if one in self.inputs.pseudonyms] or [question.subject]

    def _prior_of(self, subject: str, features: ServingFeatures) -> PriorDecisions:
        """The earlier decisions about the person, under all ids, and those that were shared with them."""
        ids = {subject, *features.linked}
        names = {self.inputs.pseudonyms[one] for one in ids if one in self.inputs.pseudonyms}
        own = [p for one in ids for p in self._prior[one]]
        seqs = {p.seq for p in own}
        shared = {p.seq: p for name in names for p in self.inputs.prior[name] if p.seq and p.seq not in seqs}
        return PriorDecisions(own, tuple(shared[seq] for seq in sorted(shared)))

    def _share(self, prior: PriorDecisions, names: Sequence[str], question: EligibilityQuestion) -> None:
        """Share the earlier decisions that stand with all of the linked ids, by pseudonym."""
        for name in names:
            stored_seqs = {p.seq for p in self.inputs.prior[name]}
            open_seqs = (p.seq for p in prior.all if p.stands(question.asked_at) and p.seq <= self.inputs.chain.length)
            self.shared |= {(name, seq) for seq in open_seqs if seq not in stored_seqs}

    def _add(self, row: DecisionRow) -> DecisionResult:
        """Add a row to be written, and count it for the questions that follow in this batch."""
        self.rows.append(row)
        seq = self.inputs.chain.length + len(self.rows)
        self._prior[row.subject].append(PriorDecision.of_row(row, seq))
        result = decisions.result_of(row)
        if result.question.transaction:
            self._earlier[result.question.transaction] = result
        return result


def under_terms(
    service: Service, program: Program, question: EligibilityQuestion, pseudonym: str
) -> EligibilityQuestion:
    """The question with perk, currency and version of the service.

    Raises Rejected `not_on_allow_list`, or `unknown_perk` for a perk that the rules no longer have.
    """
    allowed = service.terms.allowed
    if allowed is not None and pseudonym not in allowed:
        hint = "add the person to the allow-list, or remove the list"
        raise Rejected("the service is not open to this person", where="subject", hint=hint, code="not_on_allow_list")
    perk = program.perk(service.terms.perk)
    if perk is None:
        message = f"the rules have no perk `{service.terms.perk}` any more"
        raise Rejected(message, where="service", hint="sign up for another perk", code="unknown_perk")
    return replace(question, perk=perk.id, currency=perk.currency, service_version=service.version)


def no_consent() -> Rejected:
    """The same rejection for an unknown id and for a person without consent."""
    message = "unknown person, or no consent for this service"
    return Rejected(message, where="subject", hint="ask for it: POST /v1/consents", code=NO_CONSENT)


def repeat_result(earlier: DecisionResult, question: EligibilityQuestion) -> DecisionResult:
    """Return the first result again. Raises Rejected `transaction_mismatch` for another question under the same transaction,
    or `transaction_expired` after a day.
    """
    hint = "use a new transaction_id"
    if not earlier.question.same_as(question):
        message = f"transaction `{question.transaction_id}` belongs to another question"
        raise Rejected(message, where="transaction_id", hint=hint, code="transaction_mismatch")
    if (
        abs(question.asked_at - earlier.decided_at) > REPEAT_WINDOW
    ):  # in both directions, since the first clock may have been ahead
        message = f"transaction `{question.transaction_id}` was answered more than a day ago"
        raise Rejected(message, where="transaction_id", hint=hint, code="transaction_expired")
    return earlier


def reject_probing(prior: Sequence[PriorDecision], question: EligibilityQuestion) -> None:
    """Raise Rejected `too_many_amounts` if the merchant searches for the person's limit with ever new amounts."""
    if question.service is None:
        return
    since, until = micros(question.asked_at - AMOUNTS_WINDOW), micros(question.asked_at + AMOUNTS_WINDOW)
    amounts = {p.amount for p in prior if p.merchant == question.merchant and since < p.decided_at < until}
    if question.amount not in amounts and len(amounts) >= MAX_AMOUNTS:
        message = f"{MAX_AMOUNTS} different amounts were asked about this person within a day"
        hint = "repeat one of these amounts, or ask tomorrow"
        raise Rejected(message, where="amount", hint=hint, code="too_many_amounts")
