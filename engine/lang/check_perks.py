"""Check of the perks: every tier can be reached, every amount fits its currency."""

from typing import Final

from engine.lang.guard import Guard
from engine.lang.problems import Report
from engine.lang.program import AMOUNT, SCORE, Attr, Cmp, Const, Int, KnockOut, Perk, Scorecard, Tier, Truth, names
from engine.lang.resolve import Scope
from engine.lang.shapes import suggestion
from engine.lang.syntax import KnockOutLine, Number, PerkLine, PerksFile, TierLine, Word
from engine.lang.types import Attribute, Schema, Type, scaled

DIGITS: Final = {"JPY": 0}  # ISO 4217 minor units; 2 for every other currency that perks may use


def money(currency: str) -> Type:
    """The type of amounts in the currency."""
    return Type("decimal", DIGITS.get(currency, 2), (), 0, 10**12)


def check_perks(
    file: PerksFile, schema: Schema, card: Scorecard, guard: Guard, reasons: frozenset[str], report: Report
) -> tuple[Perk, ...]:
    """The perks that `file` means. Problems go into `report`; the result then is of no use."""
    seen: dict[str, Word] = {}
    taken = {SCORE, *(item.id for item in card.items)}
    for word in (w for p in file.perks for w in (p.id, *(k.id for k in p.knockouts), *(t.id for t in p.tiers))):
        if word.text in seen:
            report.add(
                "R015", f"the id `{word.text}` stands twice", word.at, f"first on line {seen[word.text].at.line}"
            )
        seen.setdefault(word.text, word)
        if word.text in taken:
            report.add("R015", f"the id `{word.text}` is the scorecard's own", word.at, "choose another")
    return tuple(_Perk(file, line, schema, card, guard, reasons, report).check() for line in file.perks)


class _Perk:
    """One perk, with what its lines can name: features, the score, the amount in its currency."""

    def __init__(
        self,
        file: PerksFile,
        line: PerkLine,
        schema: Schema,
        card: Scorecard,
        guard: Guard,
        reasons: frozenset[str],
        report: Report,
    ) -> None:
        self.file, self.line, self.guard, self.reasons, self.report = file, line, guard, reasons, report
        self.money = money(line.currency.text)
        own = (Attribute(SCORE, Type("int", 0, (), card.lowest, card.highest)), Attribute(AMOUNT, self.money))
        names_ = {**schema, **{a.name: a for a in own}}
        self.scope = Scope(names_, {w.text: e for w, e in file.define}, report)

    def check(self) -> Perk:
        line = self.line
        self.scope.defined(w for w, _ in self.file.define)
        for _, expr in self.file.define:  # also those that nothing uses yet
            if expr:
                self.scope.condition(expr)
        tiers = [self.tier(t) for t in line.tiers]
        self.reachable([(t, line_) for t, line_ in zip(tiers, line.tiers, strict=True) if t])
        return Perk(
            line.id.text,
            line.about.text,
            line.currency.text,
            self.money.digits,
            self.amount(line.most) or 0,
            line.valid_hours.whole,
            line.partial,
            tuple(k for k in map(self.knockout, line.knockouts) if k),
            tuple(t for t in tiers if t),
        )

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
        if (waive.up_to is None) == (waive.share is None):
            self.report.add("R302", "a tier waives `up_to` an amount or a `share`", waive.at, "give one of the two")
            return None
        up_to = self.amount(waive.up_to) if waive.up_to else None
        when = self.condition(line, "a tier")
        return Tier(line.id.text, when, up_to, waive.share.whole if waive.share else None) if when else None

    def condition(self, line: KnockOutLine | TierLine, what: str) -> Truth | None:
        when = self.scope.condition(line.when)
        if when:
            self.guard.reads(names(when), self.file.consent, line.when.at)
            self.guard.no_ground(when, line.when.at, what)
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
            for before, _ in tiers[:n]:
                if _covers(before.when, tier.when):
                    message = f"the tier `{tier.id}` can never be reached: `{before.id}` before it is met first"
                    self.report.add("R301", message, line.at, "put the narrower condition first")
                    break


def _covers(first: Truth, second: Truth) -> bool:
    """Whether `first` surely holds wherever `second` does, as far as can be seen at a glance."""
    if first in (second, Const(True)):
        return True
    match first, second:
        case Cmp(">=" | ">" as a, Attr(x), Int(low)), Cmp(">=" | ">" as b, Attr(y), Int(high)) if x == y:
            return low < high or (low == high and not (a == ">" and b == ">="))
    return False
