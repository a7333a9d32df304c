"""What the pages of releases show, arranged from the answers of the API: whom a change moves, text differences, possible steps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.console.release_words import HAS_PROBLEMS, STATES

OUTCOMES: Final = ("ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE")
OPEN: Final = ("draft", "checked", "measured", "in review", "approved", "scheduled")
UNDER_WAY: Final = ("draft", "checked")  # the server works on it
TRIALS: Final = ("shadow", "partial")
CASES: Final = ".cases.yaml"
SYSTEM: Final = "iftah"
MEASURABLE: Final = ("measured", "in review", "approved", "scheduled")


@dataclass(frozen=True)
class MoveTable:
    """Numbers of people by old and new outcome or band. `moved` cells are off the diagonal."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[int, bool], ...]], ...]


@dataclass(frozen=True)
class DiffLine:
    """A line of a text difference: add, drop, place or same."""

    kind: str
    text: str


@dataclass(frozen=True)
class FileDiff:
    """The differences of a file, and how many lines come and go."""

    name: str
    lines: tuple[DiffLine, ...]
    added: int
    dropped: int


def state_words(proposal: Mapping[str, Any]) -> tuple[str, str, str]:
    """The name of a proposal's state, the colour of its badge, and what happens next."""
    return HAS_PROBLEMS if proposal.get("problems") and proposal["state"] == "draft" else STATES[proposal["state"]]


def move_table(figures: Mapping[str, Any]) -> MoveTable:
    """The matrix of a perk or of the bands."""
    counts = {(cell["old"], cell["new"]): cell["count"] for cell in figures["matrix"]}
    present = dict.fromkeys(name for pair in counts for name in pair)
    names = tuple(sorted(present, key=lambda name: OUTCOMES.index(name) if name in OUTCOMES else len(OUTCOMES)))
    rows = tuple((old, tuple((counts.get((old, new), 0), old != new) for new in names)) for old in names)
    return MoveTable(names, rows)


def file_diffs(texts: Mapping[str, str]) -> list[FileDiff]:
    """The unified diffs of files, line by line: files that decide come before their cases."""
    names = sorted(texts, key=lambda name: (name.endswith(CASES), name))
    return [_file_diff(name, texts[name]) for name in names]


def _file_diff(name: str, text: str) -> FileDiff:
    lines = tuple(_diff_line(line) for line in text.splitlines()[2:])  # without the two names
    counts = [sum(line.kind == kind for line in lines) for kind in ("add", "drop")]
    return FileDiff(name, lines, *counts)


def _diff_line(line: str) -> DiffLine:
    kinds = {"+": "add", "-": "drop", "@": "place"}
    return DiffLine(kinds.get(line[:1], "same"), line)


def swap_of(proposal: Mapping[str, Any]) -> dict[str, Any] | None:
    """Whom a proposal moves, with a number for each direction; None: it could not be measured."""
    swap = (proposal["effect"] or {}).get("swap")
    if swap is None:
        return None
    bands = None if swap["bands"] is None else _whole_figures(swap["bands"])
    return {**swap, "bands": bands, "perks": [_whole_figures(perk) for perk in swap["perks"]]}


def _whole_figures(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a perk or of the bands: a report leaves out directions without people."""
    none = {"more": 0, "less": 0, "other": 0}
    rows = {name: [none | row for row in figures[name]] for name in ("by_rule", "by_band", "by_reason")}
    return {**figures, **rows, "moves": none | figures["moves"]}


def people_moved(swap: Mapping[str, Any] | None) -> dict[str, int]:
    """Sums over the perks: a person can be moved in several."""
    perks: Sequence[Mapping[str, Any]] = swap["perks"] if swap else ()
    return {name: sum(perk["moves"][name] for perk in perks) for name in ("more", "less", "other")}


def possible_steps(proposal: Mapping[str, Any], role: str, party: str) -> frozenset[str]:
    """The steps that the page offers. The API decides whether one is allowed."""
    state, steps = proposal["state"], set[str]()
    is_operator, is_stale = role == "operator", proposal["base_moved"]
    if state in OPEN:
        steps.add("rejection")
    if state in TRIALS:
        steps.add("stop")
    if state == "in review" and not is_stale and party not in hands(proposal):
        steps.add("approval")
    if is_operator:
        steps.update(_operators_steps(proposal, state, is_stale))
    return frozenset(steps)


def _operators_steps(proposal: Mapping[str, Any], state: str, is_stale: bool) -> Iterable[str]:
    if state in MEASURABLE:
        yield "measurement"
    if state in (*UNDER_WAY, "measured", "in review"):
        yield "plan"
    if state == "measured" and not is_stale:
        yield "submission"
    if state in ("approved", "scheduled") and not is_stale:
        yield from ("release", "schedule", "shadow")
    if state == "shadow" or (state == "partial" and proposal["hold"]):
        yield "release"


def hands(proposal: Mapping[str, Any]) -> set[str]:
    """Who took part in a proposal, as far as its steps say."""
    kinds = ("draft", "revision", "submission")
    return {step["actor"] for step in proposal["steps"] if step["kind"] in kinds} - {SYSTEM}


def release_options(releases: Mapping[str, Any], proposals: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """All releases that can be compared, those that were in force first: id, time, proposal, and whether it is in force."""
    options: dict[str, dict[str, Any]] = {}
    messages = {one["number"]: one["message"] for one in proposals}
    in_force = releases["in_force"]
    for one in ([in_force] if in_force else []) + releases["activations"]["items"]:
        row = {"id": one["release"], "at": one["at"], "number": one["proposal"], "was_in_force": True}
        options.setdefault(one["release"], row | {"message": messages.get(one["proposal"], "")})
    for one in proposals:
        if one["release"]:
            row = {"id": one["release"], "at": one["at"], "number": one["number"], "message": one["message"]}
            options.setdefault(one["release"], row | {"was_in_force": False})
    return list(options.values())
