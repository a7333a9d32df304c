"""What a build into files and a build with Spark share: its figures, and the rules that neither can compute."""

from dataclasses import dataclass

from engine.errors import Rejected
from engine.lang.model.program import Program


@dataclass(frozen=True)
class ResultFigures:
    """The numbers of a build: events read, people with features, people with a score, partitions of the result."""

    events: int
    people: int
    scored: int
    partitions: int


def refuse_flags(program: Program, build: str, hint: str) -> None:
    """Raise Rejected if the scorecard reads pattern flags, which are not columns. `build`: the kind of build, such as `a build from files`."""
    flags = sorted({p.flag for p in program.flags} & program.scorecard_reads)
    if flags:
        message = f"the scorecard reads the flag `{flags[0]}`, which {build} does not compute"
        raise Rejected(
            message, where="trust.yaml", hint=f"{hint}, or read the flag in perks alone", code="flags_unsupported"
        )
