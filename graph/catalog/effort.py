"""How hard it is for a person to improve a feature about them.

1: a matter of days; 2: a few weeks; 3: months; 4: a year or more; not listed: the person cannot change it. We do not
list past facts (a miss, a write-off, a late order), features that depend on other people or on the whole graph, or
features that warn of fraud: we tell nobody how to look different. You improve a feature in its `direction`, never in
the other. These numbers are a judgement for recourse; no score depends on them.
"""

from typing import Final

EFFORT: Final = {
    "identity.level": 1,
    "identity.tenure_days": 4,  # by waiting
    "behaviour.payments": 1,
    "behaviour.active_months": 3,
    "behaviour.payees": 1,
    "behaviour.categories": 1,
    "behaviour.recency_days": 1,
    "behaviour.payee_retention": 3,
    "behaviour.regularity": 3,
    "capacity.income_months": 3,
    "capacity.income_regularity": 3,
    "capacity.income_cover": 3,
    "capacity.spending_steadiness": 3,
    "capacity.balance_low_share": 3,
    "capacity.balance_months": 3,
    "credit.kept": 2,
    "credit.missed_12m": 4,  # by waiting until twelve months have passed
    "credit.history_days": 4,
    "credit.orders_kept": 2,
    "relationships.degree": 2,
    "relationships.vouches": 3,
}
