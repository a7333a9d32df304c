"""The features of version 0.1.0 that no rule file declared then. Releases of that version name them, so a replay needs their types.

We change this record never: a decision holds the values that it used, and a replay computes none. A former name stands beside
the name that it has now.
"""

from typing import Final, Literal

from engine.lang.model.types import Attribute, Schema, Type

MAX_COUNT: Final = 10**9
MAX_MONEY: Final = 9 * 10**15
MAX_DAYS: Final = 110_000
MAX_RATIO: Final = 999_999  # 9999.99
Kind = Literal["int", "decimal", "duration"]
_LINES: Final[tuple[tuple[str, Kind, int, int, str, str], ...]] = (  # name, kind, digits, highest value, class, unit
    ("identity.level", "int", 0, 3, "identity", "level"),
    ("identity.tenure_days", "duration", 0, MAX_DAYS, "identity", "days"),
    ("capacity.income_months", "int", 0, 25, "behaviour", "months"),
    ("capacity.income_total", "int", 0, MAX_MONEY, "behaviour", "minor units"),
    ("capacity.income_regularity", "decimal", 2, 100, "behaviour", "ratio"),
    ("capacity.income_cover", "decimal", 2, MAX_RATIO, "behaviour", "ratio"),
    ("capacity.net_inflow_share", "decimal", 2, 100, "behaviour", "ratio"),
    ("capacity.inflow_share", "decimal", 2, 100, "behaviour", "ratio"),
    ("capacity.distinct_payers", "int", 0, MAX_COUNT, "behaviour", "parties"),
    ("capacity.payers", "int", 0, MAX_COUNT, "behaviour", "parties"),
    ("capacity.spending_steadiness", "decimal", 2, 100, "behaviour", "ratio"),
    ("capacity.balance_low_share", "decimal", 2, 100, "restricted", "ratio"),
    ("capacity.balance_months", "decimal", 2, MAX_RATIO, "restricted", "months"),
    ("behaviour.payments", "int", 0, MAX_COUNT, "behaviour", "payments"),
    ("behaviour.payment_total", "int", 0, MAX_MONEY, "behaviour", "minor units"),
    ("behaviour.active_months", "int", 0, 25, "behaviour", "months"),
    ("behaviour.payees", "int", 0, MAX_COUNT, "behaviour", "parties"),
    ("behaviour.categories", "int", 0, MAX_COUNT, "behaviour", "categories"),
    ("behaviour.recency_days", "duration", 0, MAX_DAYS, "behaviour", "days"),
    ("behaviour.out_counterparties", "int", 0, MAX_COUNT, "behaviour", "people"),
    ("behaviour.in_counterparties", "int", 0, MAX_COUNT, "behaviour", "people"),
    ("behaviour.night_share", "decimal", 2, 100, "behaviour", "ratio"),
    ("credit.kept", "int", 0, MAX_COUNT, "credit", "promises"),
    ("credit.missed", "int", 0, MAX_COUNT, "credit", "misses"),
    ("credit.missed_12m", "int", 0, MAX_COUNT, "credit", "misses"),
    ("credit.written_off_5y", "int", 0, MAX_COUNT, "credit", "obligations"),
    ("credit.history_days", "duration", 0, MAX_DAYS, "credit", "days"),
    ("credit.orders_kept", "int", 0, MAX_COUNT, "credit", "orders"),
    ("credit.orders_late", "int", 0, MAX_COUNT, "credit", "orders"),
    ("relationships.degree", "int", 0, MAX_COUNT, "relationship", "people"),
    ("relationships.household", "int", 0, MAX_COUNT, "relationship", "people"),
    ("relationships.vouches", "int", 0, MAX_COUNT, "relationship", "people"),
    ("fraud.fan_in", "int", 0, MAX_COUNT, "behaviour", "parties"),
    ("fraud.fan_out", "int", 0, MAX_COUNT, "behaviour", "parties"),
)
UNDECLARED: Final[Schema] = {
    name: Attribute(name, Type(kind, digits, low=0, high=high), data_class, unit)
    for name, kind, digits, high, data_class, unit in _LINES
}
