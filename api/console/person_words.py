"""Words of a person's page for codes of the shipped rules: bands, and fields of evidence. Other codes are shown as they are."""

from typing import Final

from api.console.navigation import N_

BANDS: Final = {
    "poor": N_("Poor"),
    "fair": N_("Fair"),
    "good": N_("Good"),
    "excellent": N_("Excellent"),
    "outstanding": N_("Outstanding"),
}
FIELDS: Final = {
    "identity_level": N_("Level of identity"),
    "tie": N_("Kind of tie"),
    "strength": N_("Strength"),
    "amount": N_("Amount"),
    "category": N_("Category"),
    "channel": N_("Way of payment"),
    "obligation": N_("Obligation"),
    "due": N_("Due"),
    "order": N_("Order"),
    "days_late": N_("Days late"),
    "purpose": N_("Purpose"),
    "classes": N_("Kinds of data"),
    "service": N_("Service"),
    "until": N_("Until"),
    "statement": N_("Statement"),
    "outcome": N_("Outcome"),
}
