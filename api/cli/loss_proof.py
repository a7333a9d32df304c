"""`iftah diff --prove`: prove a claim about a change of rules, or show a person for whom it is false."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import typer

from api.cli.output import EXIT_ERROR, EXIT_FAILED
from api.releases import proofs
from api.releases.findings import printable
from engine.errors import Rejected
from engine.lang.model.program import Release

if TYPE_CHECKING:
    from engine.verify.prove.losses import LossProof

NOBODY_LOSES: Final = "nobody loses"
CLAIMS: Final = (NOBODY_LOSES,)
MISSING: Final = "missing"


def require_claim(claim: str) -> None:
    """Raise Rejected `unknown_claim` unless we can prove such a claim."""
    if claim not in CLAIMS:
        hint = f"use one of {', '.join(f'`{one}`' for one in CLAIMS)}"
        message = f"`{claim[:60]}` is not a claim that we can prove"
        raise Rejected(message, where="--prove", hint=hint, code="unknown_claim")


def prove_no_loss(old: Release, new: Release) -> None:
    """Print the proof, or the people who lose. The command ends with status 1 if somebody loses, 2 if we cannot decide it."""
    proof = proofs.no_loss(old, new)
    for line in _report(proof, old, new):
        print(printable(line))
    if proof.losses or proof.undecided:
        raise typer.Exit(EXIT_FAILED if proof.losses else EXIT_ERROR)


def _report(proof: "LossProof", old: Release, new: Release) -> Iterator[str]:
    """The result in words: the losses with their people, or that there are none."""
    for loss in proof.losses:
        yield f"somebody loses: {loss.message}"
        yield from (f"  {name} {value}" for name, value in loss.example if value != MISSING)
        if any(value == MISSING for _, value in loss.example):
            yield "  and no other value"
    for question in proof.undecided:
        yield f"not decided: {question}"
    if proof.redefined:
        yield f"the releases compute {', '.join(proof.redefined)} differently: we compared people with the same values of them"
    if not proof.losses and not proof.undecided:
        yield f"proved: {NOBODY_LOSES} from release {old.id[:12]} to {new.id[:12]}"
