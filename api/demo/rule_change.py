"""The simulated proposal: an operator proposes a change of rules, which is checked, measured, signed, and waits for a second person.

The proposal has the key of one party alone, so the rules folder stays in force until a second party registers a key. The private half
of that key is forgotten: nobody can sign as this operator again.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.demo.parties import COLLEAGUE
from api.demo.simulation import Simulation
from api.proposals import keys, measurement, proposals
from api.proposals.actors import THE_SYSTEM, Actor
from api.releases.release_log import read_state
from api.releases.release_states import MEASURED
from api.releases.steps import public_key_of
from api.store.clock import micros

MESSAGE: Final = "Hire a car from 600 points with up to 4,000 CNY: few of these orders were overdue"
# file: the text in force, and the text that replaces it, in the rules and in their cases
_CHANGES: Final = {
    "perks.yaml": (
        "{id: car.600, when: score >= 600, waive: {up_to: 3000 CNY}}",
        "{id: car.600, when: score >= 600, waive: {up_to: 4000 CNY}}",
    ),
    "perks.cases.yaml": (
        "expect: {outcome: PARTIAL, waived: 3000 CNY, met: [car.600]}",
        "expect: {outcome: PARTIAL, waived: 4000 CNY, met: [car.600]}",
    ),
}


def changed_files(files: Mapping[str, str]) -> dict[str, str] | None:
    """The rule files with the change; None for rules that it does not fit."""
    if any(old not in files.get(name, "") for name, (old, _) in _CHANGES.items()):
        return None
    return {**files, **{name: files[name].replace(*texts, 1) for name, texts in _CHANGES.items()}}


def propose_change(simulation: Simulation, now: datetime) -> None:
    """Propose the change, unless the rules in force do not have what it changes."""
    context, at = simulation.context, micros(now)
    files = changed_files(context.files)
    if files is None:
        return
    private = Ed25519PrivateKey.generate()
    keys.register(context.database, COLLEAGUE, "operator", public_key_of(private), at)
    actor = Actor(COLLEAGUE, "operator", private)
    number = proposals.propose(context.database, actor, files, MESSAGE, at).number
    measurement.check_proposal(context.database, number, at)
    if not read_state(context.database).proposals[number].problems:
        proposal = measurement.measure_proposal(context.database, THE_SYSTEM, number, at)
        if proposal.state == MEASURED:
            proposals.submit(context.database, actor, number, at)
    state = read_state(context.database)
    simulation.context = replace(context, log=state, head=state.hash)
    simulation.totals["proposals"] += 1
