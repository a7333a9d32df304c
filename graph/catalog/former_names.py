"""Former names of the features of the catalogue: former name -> name.

We keep former names in stored releases and records, so that you can replay decisions. `iftah check` suggests the new
name.
"""

from typing import Final

FORMER_NAMES: Final = {
    "behaviour.payees_kept": "behaviour.payee_retention",
    "capacity.passed_on": "capacity.pass_through_share",
    "relationships.core": "relationships.core_number",
    "relationships.walk": "relationships.walk_trust",
}
