"""Former names of features: former name -> name.

We keep former names in stored releases and records, so that you can replay decisions. `iftah check` suggests the new
name.
"""

from typing import Final

FORMER_NAMES: Final = {
    "behaviour.payees_kept": "behaviour.payee_retention",
    "capacity.inflow_share": "capacity.net_inflow_share",
    "capacity.passed_on": "capacity.pass_through_share",
    "capacity.payers": "capacity.distinct_payers",
    "relationships.core": "relationships.core_number",
    "relationships.walk": "relationships.walk_trust",
}
