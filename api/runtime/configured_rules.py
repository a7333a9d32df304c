"""The rules that the settings mean: those of the folder, or those that the release log names where two people release rules."""

from api.releases import rules_folder
from api.releases.anchor import verify
from api.releases.catalogue import vocabulary_of
from api.releases.in_force import load_activation, newest_activation
from api.releases.release_log import read_state
from api.releases.release_states import ReleaseState
from api.settings.settings import Settings
from api.store.database import Database
from engine.errors import Rejected
from engine.lang.model.program import Release
from graph.evidence.vocabulary import EventVocabulary


def needs_approval(settings: Settings, state: ReleaseState) -> bool:
    """Whether two people release rules here. Raises Rejected `bad_setting` if the settings deny it and the log shows it."""
    if settings.releases == "folder" and state.has_approvals:
        message = "two people have released rules here: a folder can no longer do so alone"
        hint = "take `folder` out of IFTAH_RELEASES"
        raise Rejected(message, where="releases", hint=hint, code="bad_setting")
    return settings.releases == "approved" or state.needs_approval


def approved_release(settings: Settings, database: Database) -> Release | None:
    """The release that the log names; None where the folder says which rules are in force. Raises Rejected `no_release`."""
    state = verify(database, read_state(database))
    if not needs_approval(settings, state):
        return None
    active = newest_activation(database, state)
    if active is None:
        raise no_release()
    return load_activation(database, state, active).release


def no_release() -> Rejected:
    """Nothing ever came into force."""
    hint = "propose one: `iftah propose rules -m ...`"
    return Rejected("no release has come into force yet", where="releases", hint=hint, code="no_release")


def release_in_force(settings: Settings, database: Database) -> Release:
    """The release of the settings. Raises Rejected or RulesError."""
    return approved_release(settings, database) or rules_folder.load_folder(settings.rules)


def vocabulary_in_force(settings: Settings, database: Database) -> EventVocabulary:
    """The vocabulary of evidence of the settings. From a folder, we read the one file alone."""
    release = approved_release(settings, database)
    return rules_folder.load_vocabulary(settings.rules) if release is None else vocabulary_of(release)
