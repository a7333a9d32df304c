"""An option: a text that fits at a place, with its meaning."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """`label` is what we show, `apply` what we insert. A higher `boost` comes first."""

    label: str
    apply: str
    kind: str
    detail: str = ""
    lines: tuple[str, ...] = ()
    boost: int = 0
