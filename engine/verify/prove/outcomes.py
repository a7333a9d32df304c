"""Encode the waiver of a perk: what the first tier waives of a deposit, unless a knock-out declines or a cap leaves less."""

from collections.abc import Sequence
from dataclasses import replace

import z3

from engine.lang.model.conditions import AS_OF
from engine.lang.model.program import AMOUNT, PERK_HELD, SCORE, Perk, Program, Tier
from engine.lang.model.types import DATE, Type
from engine.verify.prove.encoding import Encoder, Formula, Term, Words
from engine.verify.prove.perks import HOLD_TYPES, holds_perk


def asking_person(program: Program, perk: Perk, words: Words, day: Term, *, without: bool = False) -> Encoder:
    """A person with a question about a perk on a day. Encoders of several programs have the same variables.

    With `without`, the perk reads the score without relationships.
    """
    card = program.scorecard
    types = {name: a.type for name, a in program.schema.items()} | {a.name: a.type for a in perk.request}
    types |= {AS_OF: DATE, SCORE: Type("int", 0, (), card.lowest, card.highest)}
    types |= {AMOUNT: replace(perk.money, low=1, high=perk.most), **HOLD_TYPES}
    people = Encoder(types, (AS_OF, AMOUNT, *HOLD_TYPES), words)
    people.set_value(AS_OF, day)
    people.set_value(SCORE, people.score(card, program.relationships if without else frozenset()))
    people.set_value(PERK_HELD, holds_perk(perk, people))
    return people


def takes(perk: Perk, tier: Tier, people: Encoder) -> Formula:
    """The formula that the person reaches this tier."""
    place = perk.tiers.index(tier)
    before = [z3.Not(people.status(t.when).met) for t in perk.tiers[:place]]
    return z3.And(*before, people.status(tier.when).met, z3.Not(is_knocked_out(perk, people)))


def is_knocked_out(perk: Perk, people: Encoder) -> Formula:
    """The formula that a knock-out declines."""
    statuses = [(people.status(k.when), k.unknown_declines) for k in perk.knockouts]
    return z3.Or([z3.Not(status.unmet) if unknown else status.met for status, unknown in statuses])


def waived(perk: Perk, people: Encoder, remaining: Sequence[Term] = ()) -> Term:
    """The amount that we waive, as `perk_outcome` computes it. `remaining` has what each cap leaves.

    A cap that does not bind leaves the whole deposit or more.
    """
    amount = people.value(AMOUNT)
    full = z3.IntVal(0)
    for tier in reversed(perk.tiers):
        full = z3.If(people.status(tier.when).met, _tier_waiver(tier, amount), full)
    for rest in remaining:
        full = z3.If(rest < full, rest, full)
    stepped = full if perk.step == 1 else z3.If(full == amount, full, full - full % perk.step)
    allowed = stepped if perk.partial else z3.If(stepped == amount, amount, 0)
    return z3.If(is_knocked_out(perk, people), 0, allowed)


def _tier_waiver(tier: Tier, amount: Term) -> Term:
    share = amount if tier.share == 100 else amount * tier.share / 100  # of whole numbers: z3 rounds down
    return share if tier.up_to is None else z3.If(share < tier.up_to, share, tier.up_to)
