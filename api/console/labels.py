"""Words for codes that the API answers. A code that is not here, such as an operator's own, is shown as it is."""

from typing import Final

from api.console.navigation import N_

OUTCOMES: Final = {
    "ADMIT": N_("No deposit"),
    "PARTIAL": N_("Part of the deposit"),
    "DECLINE": N_("Whole deposit"),
    "UNSCORABLE": N_("Too little known"),
    "REFUSED": N_("Not answered"),
}
OUTCOME_KINDS: Final = {
    "ADMIT": "good",
    "PARTIAL": "accent",
    "DECLINE": "bad",
    "UNSCORABLE": "warn",
    "REFUSED": "quiet",
}
BANDS: Final = {
    "poor": N_("Poor"),
    "fair": N_("Fair"),
    "good": N_("Good"),
    "excellent": N_("Excellent"),
    "outstanding": N_("Outstanding"),
}
DIMENSIONS: Final = {
    "credit": N_("Promises kept"),
    "capacity": N_("Income and reserves"),
    "behaviour": N_("Payments"),
    "identity": N_("Identity"),
    "relationships": N_("Relationships"),
}
CLASSES: Final = {
    "identity": N_("Who you are"),
    "relationship": N_("Your relationships"),
    "behaviour": N_("Your payments"),
    "restricted": N_("Your income and what you own"),
    "credit": N_("Your debts and orders"),
}
CLASS_NOTES: Final = {
    "identity": N_("That you are enrolled, since when, and how well your identity was checked."),
    "relationship": N_("Family, friends and people who vouch for you, if they agree, too."),
    "behaviour": N_("What you paid, when, and for which kind of thing."),
    "restricted": N_("Balances of your accounts."),
    "credit": N_("Loans, bills and orders: whether you paid them in time."),
}
STATES: Final = {
    "created": N_("Waits for the person"),
    "in_service": N_("In service"),
    "due": N_("To be paid"),
    "overdue": N_("Overdue"),
    "settled": N_("Paid"),
    "cancelled": N_("Cancelled"),
    "expired": N_("Expired"),
}
STATE_KINDS: Final = {"created": "accent", "in_service": "accent", "due": "warn", "overdue": "bad", "settled": "good"}
CASE_OUTCOMES: Final = {
    "upheld": N_("You were right: the item stays out of your score"),
    "rejected": N_("The item counts again"),
    "stands": N_("The answer stands"),
    "mistaken": N_("The answer was mistaken, and we corrected what led to it"),
}
CONSENT_STATES: Final = {
    "asked": N_("Waits for an answer"),
    "granted": N_("Allowed"),
    "declined": N_("Not allowed"),
    "expired": N_("Expired"),
    "withdrawn": N_("Withdrawn"),
}
CALLBACK_STATES: Final = {"waiting": N_("Waiting"), "sent": N_("Sent"), "failed": N_("Failed")}
CALLBACK_KINDS: Final = {"waiting": "warn", "sent": "good", "failed": "bad"}
MODES: Final = {"waive_first": N_("No deposit up front"), "enjoy_first": N_("Use first, pay later")}
FIELDS: Final = {
    "nights": N_("Nights"),
    "city": N_("City"),
    "identity_level": N_("Level of identity"),
    "tie": N_("Kind of tie"),
    "strength": N_("Strength"),
    "category": N_("Category"),
    "channel": N_("Way of payment"),
    "obligation": N_("Obligation"),
    "due": N_("Due"),
    "order": N_("Order"),
    "days_late": N_("Days late"),
    "purpose": N_("Purpose"),
    "classes": N_("Kinds of data"),
    "service": N_("Service"),
    "statement": N_("Statement"),
    "outcome": N_("Outcome"),
}
VALUES: Final = {
    "household": N_("Household"),
    "family": N_("Family"),
    "friend": N_("Friend"),
    "colleague": N_("Colleague"),
    "vouch": N_("Vouch"),
    "transfer": N_("Transfer"),
    "card": N_("Card"),
    "cash": N_("Cash"),
    "wallet": N_("Wallet"),
    "direct_debit": N_("Direct debit"),
    "wage": N_("Wage"),
    "pension": N_("Pension"),
    "benefit": N_("Benefit"),
    "interest": N_("Interest"),
    "groceries": N_("Groceries"),
    "dining": N_("Dining"),
    "transport": N_("Transport"),
    "housing": N_("Housing"),
    "utilities": N_("Utilities"),
    "insurance": N_("Insurance"),
    "telecom": N_("Telecom"),
    "shopping": N_("Shopping"),
    "education": N_("Education"),
    "leisure": N_("Leisure"),
    "travel": N_("Travel"),
    "fees": N_("Fees"),
    "other": N_("Other"),
    "perks": N_("Perks"),
    "upheld": N_("Upheld"),
    "rejected": N_("Rejected"),
}
PERKS: Final = {
    "A room without a deposit": N_("A room without a deposit"),
    "A hired car; a deposit for traffic fines stays a line of its own": N_(
        "A hired car; a deposit for traffic fines stays a line of its own"
    ),
    "A bicycle from the rack, all or nothing": N_("A bicycle from the rack, all or nothing"),
    "A power bank from the stand, all or nothing": N_("A power bank from the stand, all or nothing"),
    "A home, with the deposit waived in part or whole": N_("A home, with the deposit waived in part or whole"),
}
ACTIONS: Final = {
    "create": N_("Order made"),
    "confirm": N_("Confirmed by the person"),
    "cancel": N_("Cancelled"),
    "complete": N_("Completed"),
    "modify": N_("Lowered"),
    "pay": N_("Paid"),
    "sync": N_("Paid in another way"),
    "dispute": N_("Disputed"),
    "clock": N_("Time passed"),
}
EVENTS: Final = {
    "order.created": N_("Order created"),
    "order.confirmed": N_("Order confirmed"),
    "order.completed": N_("Order completed"),
    "order.modified": N_("Amount lowered"),
    "order.paid": N_("Order paid"),
    "order.overdue": N_("Order overdue"),
    "order.cancelled": N_("Order cancelled"),
    "order.expired": N_("Order expired"),
    "order.disputed": N_("Order disputed"),
    "order.agreed": N_("Dispute ended"),
}
