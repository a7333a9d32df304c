"""Words of a person's page for fields of evidence of the shipped rules. Other codes are shown as they are."""

from typing import Final

from api.console import labels
from api.console.navigation import N_

FIELDS: Final = labels.FIELDS | {"amount": N_("Amount"), "until": N_("Until")}
