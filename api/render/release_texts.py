"""Proposals and releases as lines of text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from api.releases.release_states import Proposal, ReleaseState
from api.releases.steps import Step
from api.store.clock import iso, moment
from engine.rollout.sequential import WAITS, GuardVerdict

SHORT: Final = 12  # digits of a hash that we print
MAX_LINES: Final = 40  # of the differences


def state_lines(state: ReleaseState) -> Iterator[str]:
    """The proposals, newest first, then the releases that were in force."""
    for proposal in sorted(state.proposals.values(), key=lambda p: -p.number):
        yield f"proposal {proposal.number}  {state_of(proposal)}  {proposal.author}  {proposal.message.splitlines()[0][:80]}"
    for number, active in enumerate(reversed(state.activations)):
        word = "in force  " if number == 0 else "earlier   "
        source = f"proposal {active.proposal}" if active.proposal else active.kind.replace("_", "-")
        yield f"{word}release {active.release[:SHORT]}  since {iso(moment(active.at))}  by {active.actor}  ({source})"
    if state.ends_at is not None:
        yield f"BREAK-GLASS: the release in force was put there by one person, until {iso(moment(state.ends_at))}"
    if not state.activations:
        yield "no release has come into force yet"


def state_of(proposal: Proposal) -> str:
    """The state, with the share or the time of a release."""
    if proposal.share and proposal.state == "partial":
        share = f"{proposal.share / 100:g} % of people"
        return f"partial ({share}, held: {proposal.hold})" if proposal.hold else f"partial ({share})"
    return f"scheduled for {iso(moment(proposal.due_at))}" if proposal.due_at else proposal.state


def proposal_lines(state: ReleaseState, proposal: Proposal, effect: Mapping[str, Any] | None) -> Iterator[str]:
    """All of one proposal: its state, its problems, whom it moves, and its steps."""
    yield f"proposal {proposal.number}, revision {proposal.revision}: {state_of(proposal)}"
    yield f"by {proposal.author}: {proposal.message}"
    yield f"release {(proposal.release or 'not checked')[:SHORT]}, on {(proposal.base_release or 'nothing')[:SHORT]}"
    if proposal.base != state.base and proposal.state not in ("in force", "replaced", "rolled back", "rejected"):
        yield f"another release came into force since: measure it again, `iftah measure {proposal.number}`"
    for line in proposal.problems:
        yield f"problem: {line}"
    if proposal.reason:
        yield f"reason: {proposal.reason}"
    yield from effect_lines(effect)
    for step in proposal.steps:
        yield step_line(step)


def step_line(step: Step) -> str:
    """One step of the log."""
    signature = f", signed by {step.key}" if step.signature else ""
    reason = f": {step.content['reason']}" if step.content.get("reason") else ""
    return f"{iso(moment(step.at))}  {step.kind.replace('_', '-')}  by {step.actor}{signature}{reason}"


def effect_lines(effect: Mapping[str, Any] | None) -> Iterator[str]:
    """What a proposal changes, and whom it moves."""
    if effect is None:
        return
    for line in effect["lost_changes"]:
        yield line
    yield from effect["differences"][:MAX_LINES]
    if len(effect["differences"]) > MAX_LINES:
        yield f"and {len(effect['differences']) - MAX_LINES} more differences"
    for line in effect["needs_build"]:
        yield line
    swap = effect["swap"]
    if swap is None:
        yield "whom it moves was not measured: nothing has been built, or nothing is in force"
        return
    for perk in swap["perks"]:
        moves = perk["moves"]
        yield (
            f"{perk['name']}: {perk['moved']:,} of {perk['total']:,} people are moved"
            f" ({moves.get('more', 0):,} get more, {moves.get('less', 0):,} less)"
        )


def guard_lines(verdicts: Sequence[GuardVerdict], answers: int) -> Iterator[str]:
    """What each guard of a trial says, and when it can be trusted."""
    yield f"the candidate answered about {answers:,} people"
    for verdict in verdicts:
        line = f"guard {verdict.guard.measure}: {verdict.status}"
        if verdict.low is not None and verdict.high is not None:
            line += f", between {verdict.low:.4g} and {verdict.high:.4g}"
        if verdict.status == WAITS and verdict.needs is not None:
            line += f", decided after about {verdict.needs:,} people"
        yield line


def markdown(proposal: Proposal, effect: Mapping[str, Any] | None) -> str:
    """What a proposal changes and whom it moves, as Markdown."""
    lines = [f"### Proposal {proposal.number}: {proposal.message.splitlines()[0]}", ""]
    lines += [f"- {line}" for line in (effect or {}).get("differences", ())]
    swap = (effect or {}).get("swap")
    if swap:
        lines += ["", "| perk | people | get more | get less |", "|---|---:|---:|---:|"]
        for perk in swap["perks"]:
            more, less = (perk["moves"].get(direction, 0) for direction in ("more", "less"))
            lines.append(f"| {perk['name']} | {perk['total']:,} | {more:,} | {less:,} |")
    lines += ["", f"Approve it by `iftah approve {proposal.number}`."]
    return "\n".join(lines)
