"""How hard a feature is to better for the person whom it is about.

1: a matter of days; 2: of a few weeks; 3: of months; 4: of a year or more; not listed: not theirs to change. What is past
(a miss, a write-off, a late order) is not listed, nor what other people or the whole graph make of someone, nor anything
that warns of fraud: nobody is told how to look different. A feature is bettered in its `direction`, never the other way.
It is judgement, for `what would raise it`; no score depends on it.
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
    "behaviour.payees_kept": 3,
    "behaviour.regularity": 3,
    "capacity.income_months": 3,
    "capacity.income_regularity": 3,
    "capacity.income_cover": 3,
    "capacity.spending_steadiness": 3,
    "capacity.balance_low_share": 3,
    "capacity.balance_months": 3,
    "credit.kept": 2,
    "credit.missed_12m": 4,  # by waiting until twelve months have gone
    "credit.history_days": 4,
    "credit.orders_kept": 2,
    "relationships.degree": 2,
    "relationships.vouches": 3,
}
