"""Check of the perks: every tier can be reached, every amount fits its currency."""

from dataclasses import dataclass
from typing import Final

from engine.lang.guard import Guard
from engine.lang.lines import CapLine, FieldLine, HoldLine, KnockOutLine, ListFile, PerkLine, PerksFile, TierLine
from engine.lang.problems import Report
from engine.lang.program import AMOUNT, HELD, ORDERS, SCORE, Cap, Hold, KnockOut, Perk, Scorecard, Tier, perk_stage
from engine.lang.quantities import an
from engine.lang.resolve import Scope
from engine.lang.shapes import suggestion
from engine.lang.syntax import Name, Number, Word
from engine.lang.truths import And, Attr, Cmp, Const, Int, Or, Truth, names
from engine.lang.types import BOOL, DATE, DAY, DAYS, LARGEST, MOMENT, Attribute, Schema, Type, scaled

UNBOUNDED: Final = ("bool", "enum", "string", "date", "timestamp")  # fields of the request that are given no bounds
WIDEST: Final = {"date": DATE, "timestamp": MOMENT, "duration": DAYS}  # wider, and sums of them would not fit 64 bits
DIGITS: Final = {"JPY": 0}  # ISO 4217 minor units; 2 for every other currency that perks may use


def money(currency: str) -> Type:
    """The type of amounts in the currency."""
    return Type("decimal", DIGITS.get(currency, 2), (), 0, 10**12)


@dataclass(frozen=True)
class Around:
    """What the perks are checked against."""

    schema: Schema
    lists: dict[str, ListFile]
    card: Scorecard
    guard: Guard
    reasons: frozenset[str]
    report: Report


def check_perks(file: PerksFile, around: Around) -> tuple[Perk, ...]:
    """The perks that `file` means. Problems go into the report; the result then is of no use."""
    report = around.report
    seen: dict[str, Word] = {}
    taken = {SCORE, *(item.id for item in around.card.items)}
    for word in (w for p in file.perks for w in (p.id, *(k.id for k in p.knockouts), *(t.id for t in p.tiers))):
        if word.text in seen:
            report.add(
                "R015", f"the id `{word.text}` stands twice", word.at, f"first on line {seen[word.text].at.line}"
            )
        seen.setdefault(word.text, word)
        if word.text in taken:
            report.add("R015", f"the id `{word.text}` is the scorecard's own", word.at, "choose another")
        if word.text == ORDERS:
            report.add("R015", f"the id `{ORDERS}` is that of the orders file", word.at, "choose another")
    currencies = {p.currency.text for p in file.perks}
    for word, _ in file.caps:
        if word.text not in currencies:
            report.add("R304", f"no perk is in {word.text}", word.at, suggestion(word.text, currencies))
    perks = [_Perk(file, line, around) for line in file.perks]
    known = {n: a for perk in reversed(perks) for n, a in perk.scope.schema.items()} | {HELD: Attribute(HELD, BOOL)}
    unread = {n: e for perk in perks for n, e in perk.define.items() if e is None and n not in known}
    scope = Scope(known, {w.text: e for w, e in file.define} | unread, report, around.lists)
    scope.defined(w for w, _ in file.define)
    for word, expr in file.define:  # also those that nothing uses yet
        if expr and scope.condition(Name(word.text, word.at)) is None:
            for perk in perks:  # what is wrong with it has been told
                perk.define[word.text] = None
    return tuple(perk.check() for perk in perks)


class _Perk:
    """One perk, with what its lines can name: features, flags, the score, the request, whether it is held."""

    def __init__(self, file: PerksFile, line: PerkLine, around: Around) -> None:
        self.file, self.line, self.around = file, line, around
        self.guard, self.reasons, self.report = around.guard, around.reasons, around.report
        self.money = money(line.currency.text)
        card = around.card
        fields = {f"request.{w.text}": self.field(w, f) if f else None for w, f in line.request}
        self.request = tuple(a for a in fields.values() if a)
        self.define = {w.text: e for w, e in file.define} | {n: None for n, a in fields.items() if a is None}
        own = [Attribute(SCORE, Type("int", 0, (), card.lowest, card.highest)), Attribute(AMOUNT, self.money)]
        own += [*self.request, *([Attribute(HELD, BOOL)] if line.hold else [])]
        names_ = {**around.schema, **{a.name: a for a in own}}
        self.scope = Scope(names_, self.define, self.report, around.lists)
        self.before = Scope({n: a for n, a in names_.items() if n != HELD}, self.define, self.report, around.lists)

    def check(self) -> Perk:
        line = self.line
        tiers = [self.tier(t) for t in line.tiers]
        self.reachable([(t, line_) for t, line_ in zip(tiers, line.tiers, strict=True) if t])
        shared = next((caps for word, caps in self.file.caps if word.text == line.currency.text), ())
        perk = Perk(
            line.id.text,
            line.about.text,
            line.currency.text,
            self.money.digits,
            self.amount(line.most) or 0,
            line.valid_hours.whole,
            line.partial,
            (self.amount(line.step) if line.step else None) or 1,
            self.request,
            self.hold(line.hold) if line.hold else None,
            tuple(self.cap(c) for c in line.caps),
            tuple(self.cap(c) for c in shared),
            tuple(k for k in map(self.knockout, line.knockouts) if k),
            tuple(t for t in tiers if t),
        )
        self.used(perk)
        return perk

    def used(self, perk: Perk) -> None:
        """A hold must be used."""
        if perk.hold and HELD not in {n for t in perk_stage(perk).values() for n in names(t)} and self.line.hold:
            text = f"nothing of `{perk.id}` reads `{HELD}`"
            self.report.add("R303", text, self.line.hold.at, f"let a tier ask for it: `when: {HELD}`")

    def field(self, word: Word, line: FieldLine) -> Attribute | None:
        """A field of the request, of a type that is whole."""
        name, kind = f"request.{word.text}", line.type.text
        wrong = _unfit(name, line)
        if wrong:
            self.report.add("R305", wrong[0], word.at, wrong[1])
            return None
        plain = Type(kind, line.digits.whole if line.digits else 0, tuple(w.text for w in line.values), unit=DAY)  # type: ignore[arg-type]
        widest = WIDEST.get(kind, plain)
        low, high = self.bound(line.low, plain, widest.low), self.bound(line.high, plain, widest.high)
        if low is None or high is None or low > high:
            if low is not None and high is not None:
                self.report.add("R305", "`low` is above `high`", word.at, "exchange them")
            return None
        attribute = Attribute(name, Type(plain.kind, plain.digits, plain.values, low, high, plain.unit))
        self.guard.allows(attribute, word.at)
        return attribute

    def bound(self, number: Number | None, type_: Type, absent: int) -> int | None:
        if number is None:
            return absent
        found = scaled(number.text, type_)
        if found is None or abs(found) > LARGEST:
            self.report.add("R305", f"`{number.text}` is not {an(type_)}", number.at, "bounds are of the field's type")
            return None
        return found

    def hold(self, line: HoldLine) -> Hold | None:
        granted, kept = self.before.condition(line.granted), self.before.condition(line.kept)
        for truth, expr in ((granted, line.granted), (kept, line.kept)):
            if truth:
                self.guard.reads(names(truth), self.file.consent, expr.at)
                self.guard.no_ground(truth, expr.at, "a hold")
                self.guard.not_alone(truth, expr.at, "a hold")
        if kept:  # what was granted must not be taken back because someone no longer consents
            self.guard.withheld(kept, True, False, line.kept.at)
        if granted and kept and granted != kept and _covers(granted, kept):
            text = "`kept` asks for more than `granted`"
            self.report.add("R303", text, line.kept.at, "let `kept` be the weaker one")
        return Hold(granted, kept, line.days.whole) if granted and kept else None

    def cap(self, line: CapLine) -> Cap:
        if (line.waived is None) == (line.times is None):
            self.report.add(
                "R304", "a cap is of what is `waived` or of how many `times`", line.at, "give one of the two"
            )
        if line.reason.text not in self.reasons:
            hint = suggestion(line.reason.text, self.reasons)
            self.report.add("R207", f"unknown reason `{line.reason.text}`", line.reason.at, hint)
        waived = self.amount(line.waived) if line.waived else None
        times, days = (number.whole if number else None for number in (line.times, line.days))
        return Cap(waived, times, days, line.reason.text)

    def knockout(self, line: KnockOutLine) -> KnockOut | None:
        if line.reason.text not in self.reasons:
            hint = suggestion(line.reason.text, self.reasons)
            self.report.add("R207", f"unknown reason `{line.reason.text}`", line.reason.at, hint)
        when = self.condition(line, "a knock-out")
        if when:
            self.guard.withheld(when, line.unknown.text == "decline", True, line.when.at)
        return KnockOut(line.id.text, when, line.unknown.text == "decline", line.reason.text) if when else None

    def tier(self, line: TierLine) -> Tier | None:
        waive = line.waive
        alone = (waive.fixed is None) == (waive.share is None and waive.up_to is None)
        if alone:
            hint = "give one of: fixed, share, up_to, or share and up_to"
            self.report.add(
                "R302", "a tier waives a `fixed` amount, or a `share` of the deposit `up_to` an amount", waive.at, hint
            )
            return None
        limit = waive.fixed or waive.up_to
        up_to = self.amount(limit) if limit else None
        when = self.condition(line, "a tier")
        return Tier(line.id.text, when, waive.share.whole if waive.share else 100, up_to) if when else None

    def condition(self, line: KnockOutLine | TierLine, what: str) -> Truth | None:
        when = self.scope.condition(line.when)
        if when:
            self.guard.reads(names(when), self.file.consent, line.when.at)
            self.guard.no_ground(when, line.when.at, what)
            self.guard.not_alone(when, line.when.at, what, joined=isinstance(line, KnockOutLine))
        return when

    def amount(self, number: Number) -> int | None:
        found = scaled(number.text, self.money)
        if found == 0:
            self.report.add("R302", "an amount of 0 gives nothing", number.at, "leave it out, or give an amount")
        if found is None:
            hint = f"amounts in {self.line.currency.text} have {self.money.digits} digits after the point"
            self.report.add("R302", f"`{number.text}` is finer than the currency", number.at, hint)
        return found

    def reachable(self, tiers: list[tuple[Tier, TierLine]]) -> None:
        """A tier behind one that is met whenever it is would never be taken."""
        for n, (tier, line) in enumerate(tiers):
            if _never(tier.when, self.scope.schema):
                message = f"the tier `{tier.id}` can never be reached: its condition is never met"
                self.report.add("R301", message, line.at, "compare within the bounds of what is compared")
            for before, _ in tiers[:n]:
                if _covers(before.when, tier.when):
                    message = f"the tier `{tier.id}` can never be reached: `{before.id}` before it is met first"
                    self.report.add("R301", message, line.at, "put the narrower condition first")
                    break


def _unfit(name: str, line: FieldLine) -> tuple[str, str] | None:
    """What does not fit together in a field of the request, and what to do about it."""
    kind, words = line.type.text, {w.text for w in line.values}
    if name == AMOUNT:
        return "`amount` is there already", "rename it"
    if (kind == "decimal") != (line.digits is not None):
        hint = "add `digits: 2`" if kind == "decimal" else "take `digits` out"
        return "a decimal, and only a decimal, says its `digits`", hint
    if (kind == "enum") != bool(line.values):
        hint = "add `values: [one, other]`" if kind == "enum" else "take `values` out"
        return "an enum, and only an enum, lists its `values`", hint
    if kind in UNBOUNDED and (line.low or line.high):
        return f"a field of the type {kind} has no bounds", "take `low` and `high` out"
    if len(words) < len(line.values):
        return "a word stands twice in `values`", "remove one"
    return None


def _covers(first: Truth, second: Truth) -> bool:
    """Whether `first` surely holds wherever `second` does, as far as can be seen at a glance."""
    if first in (second, Const(True)):
        return True
    match first, second:
        case _, Or(parts):
            return all(_covers(first, p) for p in parts)
        case And(parts), _:
            return all(_covers(p, second) for p in parts)
        case _, And(parts):
            return any(_covers(first, p) for p in parts)
        case Or(parts), _:
            return any(_covers(p, second) for p in parts)
        case Cmp(">=" | ">" as a, Attr(x), Int(low)), Cmp(">=" | ">" as b, Attr(y), Int(high)) if x == y:
            return low < high or (low == high and not (a == ">" and b == ">="))
    return False


def _never(truth: Truth, schema: Schema) -> bool:
    """Whether the condition surely is never met, whatever the values, as far as can be seen at a glance."""
    match truth:
        case Const(value):
            return not value
        case And(parts):
            return any(_never(p, schema) for p in parts)
        case Or(parts):
            return all(_never(p, schema) for p in parts)
        case Cmp(op, Attr(name), Int(value)):
            of = schema[name].type
            beyond = {">": of.high <= value, ">=": of.high < value, "<": of.low >= value, "<=": of.low > value}
            return beyond.get(op, op == "==" and not of.low <= value <= of.high)
    return False
