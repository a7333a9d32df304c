"""Compare the rules of any two releases on record: what differs in meaning, and the text of each file."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff

from api.releases import releases
from api.releases.in_force import load_activation, load_proposal
from api.releases.release_states import ReleaseState
from api.store.database import Database
from engine.changes.texts import file_differences


@dataclass(frozen=True)
class RulesComparison:
    """What differs between two releases: a line each in meaning, and by file as unified diffs."""

    old: str
    new: str
    differences: tuple[str, ...]
    text_differences: Mapping[str, str]


def compare_releases(database: Database, state: ReleaseState, old: str, new: str) -> RulesComparison:
    """Compare two releases that were in force, or that were proposed. Raises Rejected `unknown_release`, `log_altered`."""
    old_files, new_files = (release_files(database, state, name) for name in (old, new))
    return RulesComparison(old, new, file_differences(old_files, new_files), text_differences(old_files, new_files))


def release_files(database: Database, state: ReleaseState, name: str) -> Mapping[str, str]:
    """The files of a release, with its cases if the log has them. Raises Rejected `unknown_release`, `log_altered`."""
    active = next((a for a in reversed(state.activations) if a.release == name), None)
    if active is not None:
        return load_activation(database, state, active).files
    proposal = next((p for p in state.proposals.values() if p.release == name), None)
    if proposal is not None:
        return load_proposal(database, proposal).files
    return releases.files_of(database, name)[1]


def text_differences(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Unified diffs by file, of the files that differ."""
    differences = {}
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, "").splitlines(), new.get(name, "").splitlines()
        lines = unified_diff(before, after, f"old/{name}", f"new/{name}", lineterm="")
        if text := "\n".join(lines):
            differences[name] = text
    return differences
