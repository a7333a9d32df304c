"""Where each role may go: addresses and labels, in the order of a working day."""

from typing import Final


def N_(text: str) -> str:  # noqa: N802 - the name that gettext's tools look for
    """Mark a text for translation; the template translates it."""
    return text


_RULES: Final = (
    ("/today", N_("Today")),
    ("/rules", N_("Rules")),
    ("/releases", N_("Releases")),
)
PAGES: Final = {
    "operator": (
        *_RULES,
        ("/cases", N_("Cases")),
        ("/people", N_("People")),
        ("/decisions", N_("Decisions")),
        ("/features", N_("Features")),
        ("/monitor", N_("Monitor")),
        ("/evidence", N_("Evidence")),
        ("/callers", N_("Callers")),
    ),
    "approver": (*_RULES, ("/monitor", N_("Monitor"))),
    "merchant": (
        ("/ask", N_("Ask")),
        ("/orders", N_("Orders")),
        ("/services", N_("Services")),
        ("/callbacks", N_("Callbacks")),
        ("/reconciliation", N_("Reconciliation")),
        ("/integration", N_("Integration")),
        ("/sandbox", N_("Sandbox")),
    ),
    "subject": (
        ("/me", N_("Score")),
        ("/me/inquiries", N_("Who asked")),
        ("/me/consents", N_("Consents")),
        ("/me/evidence", N_("My data")),
        ("/me/orders", N_("My orders")),
        ("/me/leave", N_("Export or leave")),
    ),
    "supervisor": (
        ("/audit", N_("Decisions")),
        ("/audit/releases", N_("Releases")),
        ("/audit/chain", N_("Chain")),
        ("/audit/report", N_("Report")),
        ("/audit/looks", N_("Looks")),
    ),
    "admin": (("/callers", N_("Callers")),),
}
ROLE_NAMES: Final = {
    "operator": N_("Operator"),
    "approver": N_("Approver"),
    "merchant": N_("Merchant"),
    "subject": N_("Person"),
    "supervisor": N_("Supervisor"),
    "admin": N_("Administrator"),
    "contributor": N_("Contributor"),
}
# What a page says after you did something, by the code in its address.
NOTICES: Final = {
    "signed_out": N_("You are signed out."),
    "review_asked": N_("A human will look at it."),
    "consent_given": N_("Saved. It counts from the next question on."),
    "consent_withdrawn": N_("Withdrawn. It counts no more from the next question on."),
    "groups_saved": N_("Saved. The next report counts you in these groups."),
    "groups_deleted": N_("Withdrawn. We store none of it any more."),
    "objected": N_("The item does not count while we look at it."),
    "statement_added": N_("Your statement is stored with the item."),
    "order_confirmed": N_("You confirmed the order."),
    "order_disputed": N_("You dispute the order. It does not become overdue meanwhile."),
    "order_agreed": N_("You withdrew the dispute."),
    "left": N_("You have left. What we stored about you is erased."),
    "service_saved": N_("The terms are in force."),
    "order_created": N_("The order is made."),
    "order_moved": N_("Done."),
    "secret_rotated": N_("There is a new secret. For a day we sign with both."),
    "confirmed": N_("Thank you. You may go on."),
    "draft_deleted": N_("The draft is deleted."),
    "key_registered": N_("Your key is registered. This browser can sign with it."),
    "key_revoked": N_("The key is revoked. What it signed and is not in force yet must be signed again."),
    "rolled_back": N_("The earlier release decides again."),
    "glass_broken": N_(
        "The rules are in force, by you alone. Propose the right rules next, and let somebody approve them."
    ),
    "glass_mended": N_("The break-glass is over. The release before it decides again."),
    "step_submission": N_("Signed. Now a second person reviews it."),
    "step_approval": N_("Approved with your signature. An operator can put it into force."),
    "step_rejection": N_("Rejected, with your reason on record."),
    "step_release": N_("Done. The badge says for whom it decides now."),
    "step_schedule": N_("Scheduled. It comes into force by itself."),
    "step_shadow": N_("It decides in shadow now. No merchant sees its answers."),
    "step_stop": N_("The trial is over. The release in force decides for everyone."),
    "step_measurement": N_("Measured again. Earlier signatures no longer hold."),
    "step_plan": N_("The plan is part of the proposal now. The server checks and measures it again."),
    "case_answered": N_("Answered. This is the next case."),
    "all_answered": N_("Answered. It was the last case that waited."),
    "callback_resent": N_("The callback is sent again now. It is sent when the merchant answers."),
    "file_imported": N_("The file was imported. Features and scores follow with the next refresh or build."),
}


def home_of(role: str) -> str:
    """The first page of a role."""
    pages = PAGES.get(role, ())
    return pages[0][0] if pages else "/nothing-here"
