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
    "confirmed": N_("Thank you. You may go on."),
    "draft_deleted": N_("The draft is deleted."),
    "callback_resent": N_("The callback is sent again now. It is sent when the merchant answers."),
    "file_imported": N_("The file was imported. Features and scores follow with the next refresh or build."),
}


def home_of(role: str) -> str:
    """The first page of a role."""
    pages = PAGES.get(role, ())
    return pages[0][0] if pages else "/nothing-here"
