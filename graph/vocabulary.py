"""What can happen, in words: the kinds of events, their fields, and the words that fields may hold.

The rule checker reads it, so it imports no column engine: `graph.events` has the same events as rows of a frame.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
CLASSES: Final = ("identity", "relationship", "behaviour", "restricted", "credit")
TIES: Final = ("household", "family", "friend", "colleague", "vouch")
CHANNELS: Final = ("transfer", "card", "cash", "wallet", "direct_debit")
CATEGORIES: Final = (
    *("wage", "pension", "benefit", "interest", "transfer", "cash"),
    *("groceries", "dining", "transport", "housing", "utilities", "insurance", "telecom"),
    *("shopping", "education", "leisure", "travel", "fees", "other"),
)
INCOME: Final = ("wage", "pension", "benefit")  # what counts as regular income when it comes in
DISPUTE_OUTCOMES: Final = ("upheld", "rejected")  # upheld: the person was right, the item stays out


@dataclass(frozen=True)
class Kind:
    """What an event of this kind must and may say. `data_class` None: about evidence, not evidence itself."""

    name: str
    data_class: str | None
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    adverse: bool = False  # leaves the view five years after it ended


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
KIND: Final = {k.name: k for k in KINDS}
