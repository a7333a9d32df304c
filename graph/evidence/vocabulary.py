"""The vocabulary of evidence: kinds of events, their fields, and the values that fields may hold.

The rule checker imports this module, so we import no column engine here; `graph.evidence.events` defines the same
events as a frame.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

EARLIEST_EVENT_TIME: Final = datetime(1900, 1, 1, tzinfo=UTC)
CLASSES: Final = ("identity", "relationship", "behaviour", "restricted", "credit")
TIES: Final = ("household", "family", "friend", "colleague", "vouch")
TIE_WEIGHT: Final = {"household": 10, "family": 8, "friend": 5, "colleague": 3}  # on the 1..10 scale of `strength`
CHANNELS: Final = ("transfer", "card", "cash", "wallet", "direct_debit")
CATEGORIES: Final = (
    *("wage", "pension", "benefit", "interest", "transfer", "cash"),
    *("groceries", "dining", "transport", "housing", "utilities", "insurance", "telecom"),
    *("shopping", "education", "leisure", "travel", "fees", "other"),
)
INCOME_CATEGORIES: Final = ("wage", "pension", "benefit")  # counts as regular income of the payee
DISPUTE_OUTCOMES: Final = ("upheld", "rejected")  # upheld: the person was right, and the event stays out of the view


@dataclass(frozen=True)
class Kind:
    """Required and optional fields of events of one kind. `data_class` None: a statement about evidence, not evidence
    itself.
    """

    name: str
    data_class: str | None
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    adverse: bool = False  # expires five years after it ended


_MONEY = ("amount", "currency")
KINDS: Final[tuple[Kind, ...]] = (
    Kind("person.enrolled", "identity", ("identity_level",)),
    Kind("tie.formed", "relationship", ("other", "tie"), ("strength",)),
    Kind("tie.ended", "relationship", ("other", "tie")),
    Kind("payment.made", "behaviour", ("other", *_MONEY), ("category", "channel")),
    Kind("account.balance", "restricted", _MONEY),
    Kind("obligation.opened", "credit", ("obligation",), (*_MONEY, "due")),
    Kind("obligation.paid", "credit", ("obligation",), (*_MONEY, "due")),
    Kind("obligation.missed", "credit", ("obligation",), (*_MONEY, "due"), adverse=True),
    Kind("obligation.settled", "credit", ("obligation",), _MONEY),
    Kind("obligation.written_off", "credit", ("obligation",), _MONEY, adverse=True),
    Kind("order.settled", "credit", ("order",), (*_MONEY, "service", "days_late")),
    Kind("order.overdue", "credit", ("order",), (*_MONEY, "service", "days_late"), adverse=True),
    Kind("order.cancelled", "credit", ("order",), (*_MONEY, "service")),
    Kind("consent.granted", None, ("purpose", "classes"), ("service", "until")),
    Kind("consent.withdrawn", None, ("purpose",), ("classes", "service")),
    Kind("dispute.opened", None, ("ref_event",), ("ref_contributor", "statement")),
    Kind("dispute.resolved", None, ("ref_event", "outcome"), ("ref_contributor", "statement")),
    Kind("event.corrected", None, ("ref_event", "fields")),
    Kind("event.retracted", None, ("ref_event",)),
)
KIND_BY_NAME: Final = {k.name: k for k in KINDS}
