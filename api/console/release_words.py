"""Words of the pages of releases for what the API gives as codes: states, steps, guards, problems."""

from typing import Final

from api.console.navigation import N_

# The state of a proposal: its name, the colour of its badge, and what happens next.
STATES: Final = {
    "draft": (
        N_("Being checked"),
        "quiet",
        N_("The server checks the files, runs their cases and compares its engines."),
    ),
    "checked": (N_("Being measured"), "quiet", N_("The check has passed. The server measures whom the change moves.")),
    "measured": (N_("Measured"), "accent", N_("Its author reads whom it moves, and signs it for review.")),
    "in review": (
        N_("In review"),
        "warn",
        N_("A second person, who took no part in it, reads it and approves or rejects it."),
    ),
    "approved": (
        N_("Approved"),
        "good",
        N_("An operator puts it into force: now, at a time, in shadow, or by its plan."),
    ),
    "scheduled": (N_("Scheduled"), "accent", N_("It comes into force by itself at its time.")),
    "shadow": (
        N_("In shadow"),
        "accent",
        N_("It decides beside the release in force, and no merchant sees its answers."),
    ),
    "partial": (
        N_("For a share of people"),
        "accent",
        N_("It decides for a share of people, and guards compare them with the others."),
    ),
    "in force": (N_("In force"), "good", N_("It decides for everyone.")),
    "rejected": (N_("Turned down"), "bad", N_("It stays on record. To try again, propose another text.")),
    "rolled back": (N_("Rolled back"), "bad", N_("Other rules decide again. It stays on record.")),
    "replaced": (N_("Replaced"), "quiet", N_("A later release decides now.")),
}
HAS_PROBLEMS: Final = (
    N_("Has problems"),
    "bad",
    N_("The check found problems. Mend them, and send another text from Rules."),
)
ACTIVATIONS: Final = {
    "folder": N_("from the rules folder"),
    "activation": N_("by two people"),
    "rollback": N_("by a roll-back"),
    "break_glass": N_("by break-glass"),
    "break_glass_end": N_("after a break-glass"),
}
STEPS: Final = {
    "draft": N_("proposed it"),
    "revision": N_("sent another text"),
    "check": N_("checked it"),
    "measurement": N_("measured whom it moves"),
    "submission": N_("signed it for review"),
    "approval": N_("approved it with a signature"),
    "rejection": N_("rejected it"),
    "schedule": N_("scheduled it"),
    "shadow": N_("began its shadow"),
    "share": N_("gave it to a share of people"),
    "hold": N_("held it"),
    "stop": N_("ended its trial"),
    "activation": N_("put it into force"),
    "rollback": N_("rolled back"),
    "folder": N_("put a folder into force"),
    "break_glass": N_("broke the glass"),
    "break_glass_end": N_("ended the break-glass"),
}
MEASURES: Final = {
    "admit_rate": N_("Share admitted"),
    "unscorable_rate": N_("Share that cannot be scored"),
    "dispute_rate": N_("Share disputed"),
    "waived": N_("Amount waived"),
    "latency": N_("Time to an answer"),
    "score_psi": N_("Shift of the score (PSI)"),
    "overdue": N_("Overdue orders"),
    "disputed": N_("Disputed orders"),
}
GUARDS: Final = {
    "waits": (N_("Waits for answers"), "quiet"),
    "holds": (N_("Holds"), "good"),
    "broken": (N_("Broken"), "bad"),
}
# What a rejected step means, by the code of the API. Other codes show the API's own words.
PROBLEMS: Final = {
    "own_proposal": N_("You took part in this change, so somebody else has to approve it."),
    "manifest_moved": N_("It has changed since you read it. Read it again, and sign what it says now."),
    "bad_signature": N_("The signature does not fit. Read the page again, and sign with your own key."),
    "base_moved": N_("Another release came into force meanwhile. Let it be measured again, then sign it again."),
    "key_revoked": N_("A key that signed it was revoked. It has to be signed again with a key in force."),
    "unknown_key": N_("The server does not know this key. Register it first."),
    "bad_key": N_("This key cannot be registered: it is registered already, or it is none."),
    "not_approved": N_("It is not approved as it is now. A second person has to approve it first."),
    "wrong_proposal_state": N_("Somebody took another step meanwhile. This is how it stands now."),
    "needs_build": N_("It reads numbers that nobody has computed yet. Run iftah build with it first."),
    "definitions_moved": N_("This version of the program computes other numbers than were approved. Propose it again."),
    "evidence_changed": N_("It gives stored evidence another meaning, so it cannot come into force like this."),
    "other_flags": N_(
        "Its patterns differ from those in force, so it cannot decide beside them. Release it for everyone."
    ),
    "trial_runs": N_("Another change is on trial. End that trial first."),
    "bad_share": N_("Its plan has not come to this point. The server begins each stage when the one before is over."),
    "bad_schedule": N_("The time has to be in the future, and a scheduled change waits for it."),
    "bad_plan": N_("The plan cannot be used like this."),
    "no_reason": N_("Write a reason: it stays on record."),
    "never_in_force": N_("There is no earlier release to go back to."),
    "break_glass": N_("A break-glass is in force. End it first."),
    "no_release": N_("No release has come into force yet, so there is nothing to go back to."),
    "rules_refused": N_("The rules have problems, so they cannot come into force."),
    "no_rules": N_("There are no rule files."),
    "log_altered": N_(
        "The log of releases was altered. Tell the person who runs the server: nothing comes into force until it is mended."
    ),
    "database_restored": N_("The database was restored from an old copy. Tell the person who runs the server."),
    "clock_behind": N_("The server's clock is behind. Tell the person who runs the server."),
    "unknown_release": N_("There is no release of this id on record."),
    "wrong_role": N_("Your role may not do this."),
    "no_date": N_("Choose a day and an hour."),
}
