"""`iftah diff`: how two folders of rules differ, in their lines or for people."""

from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli.output import EXIT_ERROR, EXIT_FAILED, commands
from api.cli.plain_values import PlainValues
from api.releases import proofs, rules_folder
from api.releases.findings import printable
from engine.errors import Rejected
from engine.lang.model.program import Release

if TYPE_CHECKING:
    from engine.verify.prove.losses import LossProof

app = commands()
NOBODY_LOSES: Final = "nobody loses"
CLAIMS: Final = (NOBODY_LOSES,)
MISSING: Final = "missing"

OldFolder = Annotated[Path, typer.Argument(metavar="OLD", help="the folder of the old rules")]
NewFolder = Annotated[Path, typer.Argument(metavar="NEW", help="the folder of the new rules")]


@app.command(cls=PlainValues)
def diff(
    old: OldFolder,
    new: NewFolder,
    prove: Annotated[str | None, typer.Option("--prove", help=f"the claim to prove: `{NOBODY_LOSES}`")] = None,
) -> None:
    """Show how two folders of rules differ, or prove that nobody loses by the change."""
    if prove is not None and prove not in CLAIMS:
        hint = f"use one of {', '.join(f'`{claim}`' for claim in CLAIMS)}"
        raise Rejected(
            f"`{prove[:60]}` is not a claim that we can prove", where="--prove", hint=hint, code="unknown_claim"
        )
    before, after = (rules_folder.load_folder(folder) for folder in (old, new))
    if prove is None:
        for line in _changed_lines(before, after, str(old), str(new)):
            print(printable(line))
        return
    proof = proofs.no_loss(before, after)
    for line in _report(proof, before, after):
        print(printable(line))
    if proof.losses or proof.undecided:
        raise typer.Exit(EXIT_FAILED if proof.losses else EXIT_ERROR)


def _changed_lines(old: Release, new: Release, old_folder: str, new_folder: str) -> Iterator[str]:
    """The lines of rule files that differ, in the unified format, without cases."""
    for name in sorted({*old.files, *new.files}):
        before, after = (release.files.get(name, "").splitlines() for release in (old, new))
        yield from unified_diff(before, after, f"{old_folder}/{name}", f"{new_folder}/{name}", lineterm="")


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
