"""A person's score, a decision about a perk, the reasons, and the least change: from values, under a release.

You pass a mapping from names of features to values; a feature that is absent or None is missing. You write a decimal as
`Decimal("0.85")` or `"0.85"`, a duration in whole days, a date as `datetime.date` or `"2026-01-31"`. A row of
`iftah.features` is such a mapping.
"""

from collections.abc import Mapping
from datetime import date, datetime

from engine.decide.decide import Decision, DecisionInputs, ReferenceEvaluator
from engine.decide.decide import assess as assess_values
from engine.decide.decide import decide as decide_question
from engine.decide.explain import RuleExplanation, explanations
from engine.decide.questions import read_context
from engine.decide.recourse import Aim, Change, RecoursePlan, aim_for_perk
from engine.decide.recourse import recourse as find_recourse
from engine.decide.scorecard import ScoreResult
from engine.errors import Rejected
from engine.lang.model.features import DeclaredFeature
from engine.lang.model.program import Perk, Program, Release
from graph.catalog import FEATURES, Feature
from iftah.values import engine_values, moment, program_of

Day = date | datetime | str


def assess(release: Release, values: Mapping[str, object], *, as_of: Day) -> ScoreResult:
    """The score of a person with these values, with its band, reasons and every part of it.

    `score` and `band` are None when we cannot score a person with so little evidence; `reasons` says so then. Raises
    Rejected for a feature that does not exist and for a value that does not fit it.

    >>> import iftah
    >>> release = iftah.load_rules("rules")
    >>> score = iftah.assess(release, {"identity.level": 2, "credit.missed": 2}, as_of="2026-01-01")
    >>> score.score, score.band, score.reasons[0]
    (None, None, 'too_little_known')
    """
    program, day = program_of(release, moment(release, as_of))
    return assess_values(ReferenceEvaluator(program), engine_values(program, values), day)


def decide(
    release: Release,
    values: Mapping[str, object],
    *,
    perk: str,
    amount: int,
    as_of: Day,
    request: Mapping[str, object] | None = None,
    subject: str = "",
) -> Decision:
    """Whether a person with these values may have a perk without a deposit of `amount`, in minor units of its currency.

    `request` holds the fields that the perk asks of a request, such as `{"nights": 2}`. The person's other orders are not
    known here: we apply no caps and no limits on them. Raises Rejected for a perk, an amount, a field or a value that does not
    fit.

    >>> import iftah
    >>> release = iftah.load_rules("rules")
    >>> values = {"identity.level": 2, "identity.tenure_days": 400, "credit.kept": 12, "credit.orders_kept": 2, "credit.missed": 0}
    >>> decision = iftah.decide(release, values, perk="hotel", amount=50_000, as_of="2026-01-01", request={"nights": 2})
    >>> decision.outcome, decision.answer.waived
    ('ADMIT', 50000)
    """
    at = moment(release, as_of)
    program, _ = program_of(release, at)
    definition, now = _perk(program, perk), at.isoformat()
    inputs = DecisionInputs(
        subject=subject,
        perk=perk,
        amount=amount,
        currency=definition.currency,
        as_of=now,
        known_at=now,
        asked_at=now,
        purpose="perks",
        values=engine_values(program, values),
        context=read_context(definition, request or {}),
        timezone=release.timezone,
    )
    return decide_question(ReferenceEvaluator(program), inputs)


def explain(release: Release, values: Mapping[str, object], *, as_of: Day) -> tuple[RuleExplanation, ...]:
    """Every condition of the rules on a person with these values: its status, its comparisons, and the cause of an unknown one.

    >>> import iftah
    >>> release = iftah.load_rules("rules")
    >>> first, *rest = iftah.explain(release, {"identity.level": 0}, as_of="2026-01-01")
    >>> first.id, first.status, [(atom.text, atom.value) for atom in first.atoms][:1]
    ('scorable', False, [('identity.level >= 1', '0')])
    """
    program, day = program_of(release, moment(release, as_of))
    plain = engine_values(program, values)
    score = assess_values(ReferenceEvaluator(program), plain, day).score
    return tuple(explanations(program, plain, score, day))


def recourse(
    release: Release,
    values: Mapping[str, object],
    *,
    as_of: Day,
    target: int | None = None,
    perk: str | None = None,
) -> RecoursePlan:
    """The least that a person with these values could change: for a score of `target`, for the nearest tier of a `perk`, or
    for the next band when you name neither.

    At most four steps, each of one feature that the person can change. `reached` says whether they lead to your target; if
    not, we give the steps that come nearest.

    >>> import iftah
    >>> release = iftah.load_rules("rules")
    >>> values = {"identity.level": 1, "identity.tenure_days": 400, "credit.kept": 12, "credit.orders_kept": 2, "credit.missed": 0}
    >>> plan = iftah.recourse(release, values, as_of="2026-01-01")
    >>> plan.reached, [(step.feature, step.before, step.after) for step in plan.steps]
    (True, [('identity.level', 1, 2)])
    """
    program, day = program_of(release, moment(release, as_of))
    plain, evaluator = engine_values(program, values), ReferenceEvaluator(program)
    aim: Aim | int | None = target
    if perk is not None:
        score = assess_values(evaluator, plain, day).score
        aim = aim_for_perk(program, _perk(program, perk), plain, score, day)
    return find_recourse(evaluator, plain, day, possible_changes(program), aim)


def possible_changes(program: Program) -> dict[str, Change]:
    """The changes that people can bring about, by feature: those of the catalogue, and those that the rules declare."""
    lines: dict[str, Feature | DeclaredFeature] = {**{f.name: f for f in FEATURES}, **program.declarations}
    return {n: Change(f.direction == "higher is better", f.effort) for n, f in lines.items() if f.effort is not None}


def _perk(program: Program, name: str) -> Perk:
    perk = program.perk(name)
    if perk is None:
        hint = f"use one of {', '.join(p.id for p in program.perks)}"
        raise Rejected(f"unknown perk `{name[:60]}`", where="perk", hint=hint, code="unknown_perk")
    return perk
