"""Check the perks: every tier can be reached, and every amount fits its currency."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from engine.lang.check.guardrails import Guardrails
from engine.lang.check.ids import check_exists, check_unique
from engine.lang.check.request_fields import check_field
from engine.lang.check.resolve import Scope
from engine.lang.check.subsumption import covers, never_met
from engine.lang.model.conditions import Truth, names
from engine.lang.model.currencies import CURRENCY_DIGITS
from engine.lang.model.problems import Report
from engine.lang.model.program import (
    AMOUNT,
    ORDERS_STAGE,
    PERK_HELD,
    SCORE,
    Cap,
    Hold,
    KnockOut,
    Perk,
    Scorecard,
    Tier,
    perk_stage,
)
from engine.lang.model.types import BOOL, Attribute, Schema, Type, extend_schema, parse_scaled
from engine.lang.syntax.ast import CapLine, HoldLine, KnockOutLine, ListFile, PerkLine, PerksFile, TierLine
from engine.lang.syntax.expression_tree import Expr, Name, Number, Word
from engine.lang.syntax.schema_types import suggestion

MAX_AMOUNT: Final = 10**13  # minor units
MAX_PLAIN_AMOUNT: Final = 10**12  # before amounts had currencies


def money(currency: str, report: Report) -> Type:
    """The type of amounts in the currency. Before amounts had currencies, they were decimals."""
    if report.has_money:
        return Type("money", CURRENCY_DIGITS[currency], (), 0, MAX_AMOUNT, currency=currency)
    return Type("decimal", CURRENCY_DIGITS[currency], (), 0, MAX_PLAIN_AMOUNT)


@dataclass(frozen=True)
class PerkContext:
    """The parts of the release that we check perks against, and the report that receives their problems."""

    schema: Schema
    lists: dict[str, ListFile]
    card: Scorecard
    guard: Guardrails
    reasons: frozenset[str]
    report: Report


@dataclass(frozen=True)
class _PerkScope:
    """One perk, with the names that its lines can use: features, flags, the score, the request, whether it is held."""

    line: PerkLine
    consent: tuple[Word, ...]
    context: PerkContext
    money: Type
    request: tuple[Attribute, ...]
    define: dict[str, Expr | None]  # None: a definition or a field with a problem, which has been reported
    names: Scope
    names_without_held: Scope  # for the conditions of the hold itself

    @property
    def report(self) -> Report:
        return self.context.report


def check_perks(file: PerksFile, context: PerkContext) -> tuple[Perk, ...]:
    """Build the perks of `file`. Problems are added to the context's report; discard the result if there are any."""
    _check_ids(file, context)
    _check_shared_caps(file, context.report)
    scopes = [_perk_scope(file, line, context) for line in file.perks]
    _check_definitions(file, scopes, context)
    return tuple(_perk(file, scope) for scope in scopes)


def _check_ids(file: PerksFile, context: PerkContext) -> None:
    """Every perk, knock-out and tier has an id of its own, which is not taken by the scorecard or the orders file."""
    report = context.report
    check_unique(_ids(file), report)
    scorecard_ids = {SCORE, *(item.id for item in context.card.items)}
    for word in _ids(file):
        if word.text in scorecard_ids:
            report.add("R015", f"the id `{word.text}` is the scorecard's own", word.at, "choose another")
        if word.text == ORDERS_STAGE:
            report.add("R015", f"the id `{ORDERS_STAGE}` is that of the orders file", word.at, "choose another")


def _ids(file: PerksFile) -> Iterator[Word]:
    for line in file.perks:
        yield line.id
        yield from (knockout.id for knockout in line.knockouts)
        yield from (tier.id for tier in line.tiers)


def _check_shared_caps(file: PerksFile, report: Report) -> None:
    """Caps that perks share belong to a currency: some perk must use it."""
    currencies = {p.currency.text for p in file.perks}
    for word, _ in file.caps:
        if word.text not in currencies:
            report.add("R304", f"no perk is in {word.text}", word.at, suggestion(word.text, currencies))


def _check_definitions(file: PerksFile, scopes: Sequence[_PerkScope], context: PerkContext) -> None:
    """Check each definition once, used or not, with the names of all perks, and mark the wrong ones in every scope."""
    schema: dict[str, Attribute] = {}
    for perk in reversed(scopes):
        schema |= perk.names.schema
    schema[PERK_HELD] = Attribute(PERK_HELD, BOOL)
    define: dict[str, Expr | None] = {word.text: expr for word, expr in file.define}
    for perk in scopes:
        define |= {name: None for name, expr in perk.define.items() if expr is None and name not in schema}
    scope = Scope(schema, define, context.report, context.lists)
    scope.check_names(word for word, _ in file.define)
    for word, expr in file.define:
        if expr and scope.condition(Name(word.text, word.at)) is None:
            for perk in scopes:  # the problem has been reported: do not repeat it for each perk
                perk.define[word.text] = None


def _perk_scope(file: PerksFile, line: PerkLine, context: PerkContext) -> _PerkScope:
    card, report = context.card, context.report
    amount_type = money(line.currency.text, report)
    fields = {
        f"request.{w.text}": check_field(w, field, amount_type, context.guard, report) if field else None
        for w, field in line.request
    }
    request = tuple(attribute for attribute in fields.values() if attribute)
    define: dict[str, Expr | None] = {word.text: expr for word, expr in file.define}
    define |= {name: None for name, attribute in fields.items() if attribute is None}
    score = Attribute(SCORE, Type("int", 0, (), card.lowest, card.highest))
    schema = extend_schema(context.schema, score, Attribute(AMOUNT, amount_type), *request)
    without_held = {name: attribute for name, attribute in schema.items() if name != PERK_HELD}
    if line.hold:
        schema[PERK_HELD] = Attribute(PERK_HELD, BOOL)
    return _PerkScope(
        line=line,
        consent=file.consent,
        context=context,
        money=amount_type,
        request=request,
        define=define,
        names=Scope(schema, define, report, context.lists),
        names_without_held=Scope(without_held, define, report, context.lists),
    )


def _perk(file: PerksFile, scope: _PerkScope) -> Perk:
    line = scope.line
    tiers = [_tier(t, scope) for t in line.tiers]
    _check_reachable([(t, line_) for t, line_ in zip(tiers, line.tiers, strict=True) if t], scope)
    shared = next((caps for word, caps in file.caps if word.text == line.currency.text), ())
    perk = Perk(
        id=line.id.text,
        about=line.about.text,
        currency=line.currency.text,
        digits=scope.money.digits,
        most=_amount(line.most, scope) or 0,
        valid_hours=line.valid_hours.whole,
        partial=line.partial,
        step=(_amount(line.step, scope) if line.step else None) or 1,
        request=scope.request,
        hold=_hold(line.hold, scope) if line.hold else None,
        caps=tuple(_cap(c, scope) for c in line.caps),
        shared=tuple(_cap(c, scope) for c in shared),
        knockouts=tuple(k for k in (_knockout(k, scope) for k in line.knockouts) if k),
        tiers=tuple(t for t in tiers if t),
    )
    if line.hold and perk.hold:
        _check_hold_used(perk, line.hold, scope.report)
    return perk


def _check_hold_used(perk: Perk, line: HoldLine, report: Report) -> None:
    """A hold without a condition that reads `perk.held` would have no effect."""
    if PERK_HELD not in {name for when in perk_stage(perk).values() for name in names(when)}:
        message = f"nothing of `{perk.id}` reads `{PERK_HELD}`"
        report.add("R303", message, line.at, f"let a tier ask for it: `when: {PERK_HELD}`")


def _hold(line: HoldLine, scope: _PerkScope) -> Hold | None:
    guard, names_ = scope.context.guard, scope.names_without_held
    grant_condition, keep_condition = names_.condition(line.granted), names_.condition(line.kept)
    for truth, expr in ((grant_condition, line.granted), (keep_condition, line.kept)):
        if truth:
            guard.check_reads(names(truth), scope.consent, expr.at)
            guard.check_no_relationships(truth, expr.at, "a hold")
            guard.check_alarm_not_alone(truth, expr.at, "a hold")
    if keep_condition:  # withdrawing consent must not take back a perk that was granted
        guard.check_unknown(keep_condition, True, False, line.kept.at)
    if grant_condition is None or keep_condition is None:
        return None
    if grant_condition != keep_condition and covers(grant_condition, keep_condition):
        message = "`kept` asks for more than `granted`"
        scope.report.add("R303", message, line.kept.at, "let `kept` be the weaker one")
    return Hold(grant_condition, keep_condition, line.days.whole)


def _cap(line: CapLine, scope: _PerkScope) -> Cap:
    if (line.waived is None) == (line.times is None):
        message = "a cap has either `waived` or `times`"
        scope.report.add("R304", message, line.at, "give one of the two")
    check_exists(line.reason, scope.context.reasons, "R207", "reason", scope.report)
    waived = _amount(line.waived, scope) if line.waived else None
    times, days = (number.whole if number else None for number in (line.times, line.days))
    return Cap(waived, times, days, line.reason.text)


def _knockout(line: KnockOutLine, scope: _PerkScope) -> KnockOut | None:
    check_exists(line.reason, scope.context.reasons, "R207", "reason", scope.report)
    when = _condition(line, scope, "a knock-out")
    if when is None:
        return None
    unknown_declines = line.unknown.text == "decline"
    scope.context.guard.check_unknown(when, unknown_declines, True, line.when.at)
    return KnockOut(line.id.text, when, unknown_declines, line.reason.text)


def _tier(line: TierLine, scope: _PerkScope) -> Tier | None:
    waive = line.waive
    ambiguous = (waive.fixed is None) == (waive.share is None and waive.up_to is None)
    if ambiguous:
        message = "a tier waives a `fixed` amount, or a `share` of the deposit `up_to` an amount"
        scope.report.add("R302", message, waive.at, "give one of: fixed, share, up_to, or share and up_to")
        return None
    limit = waive.fixed or waive.up_to
    up_to = _amount(limit, scope) if limit else None
    when = _condition(line, scope, "a tier")
    return Tier(line.id.text, when, waive.share.whole if waive.share else 100, up_to) if when else None


def _condition(line: KnockOutLine | TierLine, scope: _PerkScope, noun: str) -> Truth | None:
    guard, when = scope.context.guard, scope.names.condition(line.when)
    if when:
        guard.check_reads(names(when), scope.consent, line.when.at)
        guard.check_no_relationships(when, line.when.at, noun)
        guard.check_alarm_not_alone(when, line.when.at, noun, joined=isinstance(line, KnockOutLine))
    return when


def _amount(number: Number, scope: _PerkScope) -> int | None:
    """The amount in minor units; None if it is not an amount in the perk's currency."""
    minor_units = parse_scaled(number.text, scope.money)
    if minor_units == 0:
        scope.report.add("R302", "an amount of 0 gives nothing", number.at, "leave it out, or give an amount")
    if minor_units is None:
        message, hint = _amount_flaw(number.text, scope.money, scope.line.currency.text)
        scope.report.add("R302", message, number.at, hint)
    return minor_units


def _amount_flaw(text: str, type_: Type, currency: str) -> tuple[str, str]:
    if type_.kind == "money" and " " not in text:
        return f"`{text}` has no currency", f"write `{text} {currency}`"
    if type_.kind == "money" and not text.endswith(currency):
        return f"`{text}` is not in the perk's currency", f"amounts of this perk are in {currency}"
    return f"`{text}` is finer than the currency", f"amounts in {currency} have {type_.digits} digits after the point"


def _check_reachable(tiers: Sequence[tuple[Tier, TierLine]], scope: _PerkScope) -> None:
    """Report tiers that are never taken: their condition is never met, or an earlier tier is met whenever they are."""
    for n, (tier, line) in enumerate(tiers):
        if never_met(tier.when, scope.names.schema):
            message = f"the tier `{tier.id}` can never be reached: its condition is never met"
            scope.report.add("R301", message, line.at, "compare within the bounds of what is compared")
        before = next((earlier for earlier, _ in tiers[:n] if covers(earlier.when, tier.when)), None)
        if before:
            message = f"the tier `{tier.id}` can never be reached: `{before.id}` before it is met first"
            scope.report.add("R301", message, line.at, "put the narrower condition first")
