"""The vocabulary of evidence: kinds of events, their fields, and the values that fields may hold.

The engine's own kinds are here: enrolment, consent, dispute, correction, retraction and the engine's orders. All others are
declared (`rules/evidence.yaml`); a `EventVocabulary` holds both. `STANDARD` is the vocabulary of the shipped declarations, of the
town and of the public data sets.

The rule checker imports this module, so we import no column engine here; `graph.evidence.events` defines the same
events as a frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Final, Literal

EARLIEST_EVENT_TIME: Final = datetime(1900, 1, 1, tzinfo=UTC)
CLASSES: Final = ("identity", "relationship", "behaviour", "restricted", "credit")
TIE_WEIGHT: Final = {"household": 10, "family": 8, "friend": 5, "colleague": 3}  # on the 1..10 scale of `strength`
DISPUTE_OUTCOMES: Final = ("upheld", "rejected")  # upheld: the person was right, and the event stays out of the view
Scope = Literal["subject", "each", "both"]
Texts = tuple[tuple[str, str], ...]  # language, text
STEPS: Final = ("opened", "paid", "missed", "settled", "written off")  # of an obligation
FieldType = Literal["bool", "int", "decimal", "money", "enum", "text", "date", "moment", "party", "currency"]
CURRENCY_SUFFIX: Final = "_currency"


@dataclass(frozen=True)
class EventField:
    """A declared field of events, of one type in all kinds that have it.

    `digits` are those of a decimal, which we hold scaled. `low` and `high` bound the number as held. Money is in minor units
    of the currency in the field `currency_field`.
    """

    name: str
    type: FieldType
    digits: int = 0
    values: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None

    @property
    def currency_field(self) -> str:
        """The field that names the currency of this money."""
        return "currency" if self.name == "amount" else f"{self.name}{CURRENCY_SUFFIX}"


@dataclass(frozen=True)
class Kind:
    """Required and optional fields of events of one kind. `data_class` None: a statement about evidence, not evidence
    itself.

    `counts_for`: the subject by their consent; `each` party by their own consent; `both` parties, or neither. `step` is the
    part that the kind has in the life of an obligation or an order. `reverses` names the kind of the event that this one takes
    back: the `ref_event` of the same contributor. `keep_years`: we drop the event so many calendar years after it happened; None: we keep it.
    """

    name: str
    data_class: str | None
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    adverse: bool = False  # expires five years after it ended
    counts_for: Scope = "subject"
    step: str = ""
    reverses: str = ""
    keep_years: int | None = None
    signed: bool = False  # its `amount` may be negative
    own: bool = False  # the engine's own
    about: Texts = ()  # what happened, by language; the language of a single text is empty

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field that an event of this kind can have."""
        return (*self.required, *self.optional)

    def words(self, language: str) -> str:
        """Return what happened in words: in this language, else in the first one that there is, else the name of the kind."""
        texts = dict(self.about)
        return texts.get(language) or next(iter(texts.values()), self.name)


_MONEY = ("amount", "currency")
LINK_KIND: Final = "person.same_as"
OWN_KINDS: Final[tuple[Kind, ...]] = (
    Kind(
        "person.enrolled",
        "identity",
        ("identity_level",),
        own=True,
        about=(("en", "Your identity was proved"), ("zh", "您的身份已核实")),
    ),
    Kind(
        LINK_KIND,
        "identity",
        ("other",),
        counts_for="both",
        own=True,
        about=(("en", "Two ids were stated to be yours"), ("zh", "两个编号被认定为同属于您")),
    ),
    Kind(
        "order.settled",
        "credit",
        ("order",),
        (*_MONEY, "service", "days_late"),
        step="order settled",
        own=True,
        about=(("en", "An order of yours was paid and settled"), ("zh", "您的一笔订单已付清")),
    ),
    Kind(
        "order.overdue",
        "credit",
        ("order",),
        (*_MONEY, "service", "days_late"),
        adverse=True,
        step="order overdue",
        own=True,
        about=(("en", "An order of yours was not paid in time"), ("zh", "您的一笔订单逾期未付")),
    ),
    Kind(
        "order.cancelled",
        "credit",
        ("order",),
        (*_MONEY, "service"),
        step="order cancelled",
        own=True,
        about=(("en", "An order of yours was cancelled"), ("zh", "您的一笔订单已取消")),
    ),
    Kind(
        "consent.granted",
        None,
        ("purpose", "classes"),
        ("service", "until"),
        own=True,
        about=(("en", "You consented"), ("zh", "您给予了同意")),
    ),
    Kind(
        "consent.withdrawn",
        None,
        ("purpose",),
        ("classes", "service"),
        own=True,
        about=(("en", "You withdrew a consent"), ("zh", "您撤回了同意")),
    ),
    Kind(
        "dispute.opened",
        None,
        ("ref_event",),
        ("ref_contributor", "statement"),
        own=True,
        about=(("en", "You disputed an item"), ("zh", "您对一条记录提出了异议")),
    ),
    Kind(
        "dispute.resolved",
        None,
        ("ref_event", "outcome"),
        ("ref_contributor", "statement"),
        own=True,
        about=(("en", "Your dispute of an item was answered"), ("zh", "您的异议已得到答复")),
    ),
    Kind(
        "event.corrected",
        None,
        ("ref_event", "fields"),
        own=True,
        about=(("en", "Its source corrected an item"), ("zh", "提供者更正了一条记录")),
    ),
    Kind(
        "event.retracted",
        None,
        ("ref_event",),
        own=True,
        about=(("en", "Its source took an item back"), ("zh", "提供者撤回了一条记录")),
    ),
)
STATEMENT_KINDS: Final = tuple(k.name for k in OWN_KINDS if not k.data_class)
READING_KINDS: Final = (*STATEMENT_KINDS, LINK_KIND)  # that say how to read evidence, and whose it is


@dataclass(frozen=True)
class EventVocabulary:
    """Everything that events can say: the engine's own kinds and the declared ones, the fields that no column of the ledger
    holds (`extra_fields`), and the words of the enums.
    """

    declared_kinds: tuple[Kind, ...] = ()
    ties: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    income: tuple[str, ...] = ()  # categories that count as regular income of the payee
    channels: tuple[str, ...] = ()
    extra_fields: Mapping[str, EventField] = field(default_factory=dict)

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """All kinds: the declared ones, then the engine's own."""
        return (*self.declared_kinds, *OWN_KINDS)

    @cached_property
    def kind_by_name(self) -> Mapping[str, Kind]:
        """All kinds, by name."""
        return {k.name: k for k in self.kinds}

    def kind(self, name: str) -> Kind:
        """The kind of this name; one without fields for events of a kind that nobody declares any more."""
        return self.kind_by_name.get(name) or Kind(name, None)

    @cached_property
    def evidence_kinds(self) -> tuple[str, ...]:
        """The kinds that are evidence, and say neither how to read evidence nor whose it is."""
        return tuple(k.name for k in self.kinds if k.data_class and k.name != LINK_KIND)

    def kinds_of(self, data_class: str, *scopes: Scope) -> tuple[str, ...]:
        """The kinds of a data class, of those that count for one of `scopes` if you name any."""
        return tuple(
            k.name for k in self.kinds if k.data_class == data_class and (not scopes or k.counts_for in scopes)
        )

    def steps(self, *steps: str) -> tuple[str, ...]:
        """The kinds that are one of these steps."""
        return tuple(k.name for k in self.kinds if k.step in steps)

    @cached_property
    def reversals(self) -> tuple[str, ...]:
        """The kinds of which an event takes another event back."""
        return tuple(k.name for k in self.kinds if k.reverses)

    @cached_property
    def signed_kinds(self) -> tuple[str, ...]:
        """The kinds of which `amount` may be negative."""
        return tuple(k.name for k in self.kinds if k.signed)

    def money_of(self, kind: Kind) -> tuple[tuple[str, str], ...]:
        """The fields of money that a kind has, each with the field of its currency."""
        money = (f for f in self.extra_fields.values() if f.type == "money" and f.name in kind.fields)
        own = (("amount", "currency"),) if "amount" in kind.fields else ()
        return (*own, *((f.name, f.currency_field) for f in money))

    @cached_property
    def money_pairs(self) -> tuple[tuple[str, str], ...]:
        """The same of all kinds, each pair once."""
        return tuple(dict.fromkeys(pair for k in self.kinds for pair in self.money_of(k)))

    @cached_property
    def credit_kinds(self) -> tuple[str, ...]:
        """The kinds of credit evidence, whose items begin and end."""
        return self.kinds_of("credit")

    @cached_property
    def adverse_kinds(self) -> tuple[str, ...]:
        """The kinds of adverse evidence."""
        return tuple(k.name for k in self.kinds if k.adverse)

    @cached_property
    def ending_kinds(self) -> tuple[str, ...]:
        """The kinds of which we find out when the item ended: credit evidence, and adverse evidence of any class."""
        return tuple(dict.fromkeys((*self.credit_kinds, *self.adverse_kinds)))


def _obligation(step: str, *, due: bool = True, adverse: bool = False) -> Kind:
    name = f"obligation.{step.replace(' ', '_')}"
    optional = (*_MONEY, "due") if due else _MONEY
    return Kind(name, "credit", ("obligation",), optional, adverse=adverse, step=step)


STANDARD: Final = EventVocabulary(
    declared_kinds=(
        Kind("tie.formed", "relationship", ("other", "tie"), ("strength",), counts_for="both"),
        Kind("tie.ended", "relationship", ("other", "tie"), counts_for="both"),
        Kind("payment.made", "behaviour", ("other", *_MONEY), ("category", "channel"), counts_for="each"),
        Kind(
            "payment.refunded",
            "behaviour",
            ("other", *_MONEY, "ref_event"),
            ("category", "channel"),
            counts_for="each",
            reverses="payment.made",
        ),
        Kind(
            "payment.charged_back",
            "behaviour",
            ("other", *_MONEY, "ref_event"),
            ("category", "channel"),
            counts_for="each",
            reverses="payment.made",
        ),
        Kind("account.balance", "restricted", _MONEY, signed=True),
        _obligation("opened"),
        _obligation("paid"),
        _obligation("missed", adverse=True),
        _obligation("settled", due=False),
        _obligation("written off", due=False, adverse=True),
    ),
    ties=("household", "family", "friend", "colleague", "vouch"),
    categories=(
        *("wage", "pension", "benefit", "interest", "transfer", "cash"),
        *("groceries", "dining", "transport", "housing", "utilities", "insurance", "telecom"),
        *("shopping", "education", "leisure", "travel", "fees", "other"),
    ),
    income=("wage", "pension", "benefit"),
    channels=("transfer", "card", "cash", "wallet", "direct_debit"),
)
