"""Field types that several routes share: numbers, times, identifiers, patterns of text, and each enumeration under one name.

A plain `X = Literal[..]` becomes a nameless list of words in each field, and a generated client makes a class of each. A
`TypeAliasType` becomes one component of the OpenAPI document, and every field refers to it.
"""

import re
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    SerializeAsAny,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from typing_extensions import TypeAliasType

from api.access.identifiers import validate_identifier

# JSON does not bound whole numbers, and many languages read 32 bits unless the format says otherwise.
Int64 = Annotated[int, Field(json_schema_extra={"format": "int64"})]
Money = Int64  # minor units
MAX_DEPOSIT: Final = 10**12  # minor units

PLAIN: Final = r"^[^\x00-\x1f\x7f]+$"  # no control characters: PostgreSQL stores no NUL, and no id has any
SERVICE_NAME: Final = "^[a-z0-9_-]{1,40}$"
MERCHANT_NUMBER: Final = r"^[0-9A-Za-z_\-|*]{1,32}$"  # a merchant's own number for a question or an order
RECORD_ID: Final = "^[0-9a-f]{1,64}$"  # an id that we made: a hash or random bytes, in hex

# A person, a merchant, a contributor, or a contributor's event.
PartyId = Annotated[str, Field(pattern=PLAIN, max_length=128), AfterValidator(validate_identifier)]
PerkId = Annotated[str, Field(pattern=PLAIN, max_length=60), AfterValidator(validate_identifier)]
RecordId = Annotated[str, Field(pattern=RECORD_ID)]
ServiceName = Annotated[str, Field(pattern=SERVICE_NAME)]
ShortText = Annotated[str, Field(pattern=PLAIN, max_length=60)]
BriefText = Annotated[str, Field(pattern=PLAIN, max_length=100)]  # a hundred of these fit into the largest body
LongText = Annotated[str, Field(pattern=PLAIN, max_length=500)]
StatementText = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_CLOCK: Final = re.compile(r"[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?", re.ASCII)
_ZONE: Final = re.compile(r"[Zz]|[+-]\d\d:?\d\d", re.ASCII)


def _moment(value: Any) -> Any:
    """Reject what pydantic would accept besides: seconds since 1970 as a number or a text, and a day for its midnight."""
    if not isinstance(value, str):
        raise ValueError("should be a time written as text, such as 2026-01-31T09:30:00Z")
    day = _DAY.match(value)
    clock = _CLOCK.match(value, day.end()) if day else None
    if day and day.end() == len(value):
        raise ValueError("should be a time with its zone and not a day, as 2026-01-31T09:30:00Z is")
    if clock and clock.end() == len(value):
        raise ValueError("should say its time zone, as 2026-01-31T09:30:00Z does")
    if not clock or not _ZONE.fullmatch(value, clock.end()):
        raise ValueError("should be a time such as 2026-01-31T09:30:00Z")
    return value


def _day(value: Any) -> Any:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("should be a day such as 2026-01-31")
    return value


# We accept a moment only if it is unambiguous: ISO 8601 with a zone. A day is no moment.
Moment = Annotated[AwareDatetime, BeforeValidator(_moment, json_schema_input_type=datetime), Field(strict=False)]
Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=date), Field(strict=False)]

# Times that we store as text and answer unchanged.
MomentText = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
DayText = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]

_Stored = TypeVar("_Stored")


def _unchanged(value: Any, _: ValidatorFunctionWrapHandler) -> Any:
    return value


# A stored value: we describe it by its type, and answer its JSON unchanged.
AsStored = Annotated[_Stored, WrapValidator(_unchanged), SerializeAsAny()]

Outcome = TypeAliasType(
    "Outcome",
    Annotated[
        Literal["ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE"],
        Field(description="how much of the deposit is waived: all, a part, nothing; UNSCORABLE: we know too little"),
    ],
)
RecordedOutcome = TypeAliasType(
    "RecordedOutcome",
    Annotated[
        Literal["ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE", "REFUSED"],
        Field(description="as Outcome; REFUSED: we recorded the question and evaluated no rule"),
    ],
)
DataClass = TypeAliasType(
    "DataClass",
    Annotated[
        Literal["identity", "relationship", "behaviour", "restricted", "credit"],
        Field(description="a class of evidence that a person consents to"),
    ],
)
ProofFormat = TypeAliasType(
    "ProofFormat",
    Annotated[
        Literal["iftah.proof.1", "iftah.proof.2"],
        Field(description="2: the root covers the day and the number of decisions; 1: it does not"),
    ],
)
RequestFieldType = TypeAliasType(
    "RequestFieldType",
    Annotated[
        Literal["bool", "int", "decimal", "enum", "string", "date", "timestamp", "duration"],
        Field(description="the type of a field of a question"),
    ],
)
ServiceMode = TypeAliasType(
    "ServiceMode",
    Annotated[
        Literal["waive_first", "enjoy_first"],
        Field(description="waive_first: a deposit is waived; enjoy_first: payment comes after use"),
    ],
)
ConsentState = TypeAliasType(
    "ConsentState",
    Annotated[
        Literal["asked", "granted", "declined", "expired", "withdrawn"],
        Field(description="the state of a request for consent"),
    ],
)
CallbackState = TypeAliasType(
    "CallbackState",
    Annotated[Literal["waiting", "sent", "failed"], Field(description="the state of a message to a merchant")],
)
OrderEvent = TypeAliasType(
    "OrderEvent",
    Annotated[
        Literal[
            "order.created",
            "order.confirmed",
            "order.completed",
            "order.modified",
            "order.paid",
            "order.overdue",
            "order.cancelled",
            "order.expired",
            "order.disputed",
            "order.agreed",
        ],
        Field(description="agreed: a dispute ended; states that the operators define add events of their own"),
    ],
)
SandboxPerson = TypeAliasType(
    "SandboxPerson",
    Annotated[
        Literal["sandbox-admit", "sandbox-partial", "sandbox-decline", "sandbox-unscorable", "sandbox-no-consent"],
        Field(description="a made-up person: the name says what we answer about them"),
    ],
)
SandboxAction = TypeAliasType(
    "SandboxAction",
    Annotated[
        Literal["create", "confirm", "cancel", "complete", "modify", "pay", "clock"],
        Field(description="a step of a made-up order; confirm: by the person; clock: thirty days pass"),
    ],
)
FundName = TypeAliasType(
    "FundName",
    Annotated[
        Literal["DEPOSIT", "ADVANCE", "CASH_DEPOSIT", "ESTIMATE_ORDER_COST"],
        Field(description="the kind of amount that an order puts at risk"),
    ],
)
DisputeOutcome = TypeAliasType(
    "DisputeOutcome",
    Annotated[
        Literal["upheld", "rejected"],
        Field(description="upheld: the item stays out of the score; rejected: it counts again"),
    ],
)
DisputeState = TypeAliasType(
    "DisputeState",
    Annotated[Literal["open", "upheld", "rejected"], Field(description="the state of an objection to an item")],
)
ReviewOutcome = TypeAliasType(
    "ReviewOutcome",
    Annotated[
        Literal["stands", "mistaken"],
        Field(
            description="mistaken: we corrected the evidence or the rule behind the decision, and the merchant may ask again"
        ),
    ],
)
RowOutcome = TypeAliasType(
    "RowOutcome",
    Annotated[Literal["accepted", "duplicate", "refused"], Field(description="the result for one event that you sent")],
)
Amendment = TypeAliasType(
    "Amendment",
    Annotated[
        Literal["corrected", "retracted", "disputed", "dispute_resolved"],
        Field(description="a later statement about an event"),
    ],
)
StatedLookKind = TypeAliasType(
    "StatedLookKind",
    Annotated[
        Literal["dispute", "review", "enquiry", "supervision"],
        Field(description="why a caller looks at a person: a dispute, a review, the person's own question, or a check"),
    ],
)
LookKind = TypeAliasType(
    "LookKind",
    Annotated[
        Literal["dispute", "review", "enquiry", "supervision", "search"],
        Field(description="as StatedLookKind; search: an operator searched for ids of people"),
    ],
)
LookPart = TypeAliasType(
    "LookPart",
    Annotated[
        Literal["person", "decision", "search"],
        Field(description="what a look shows: the person's data, one decision, or the id alone"),
    ],
)
PartyKind = TypeAliasType(
    "PartyKind", Annotated[Literal["merchant", "person"], Field(description="a merchant, or a person")]
)
Role = TypeAliasType(
    "Role",
    Annotated[
        Literal["merchant", "contributor", "subject", "operator", "approver", "supervisor", "admin"],
        Field(description="the permissions of a caller"),
    ],
)
Scope = TypeAliasType(
    "Scope",
    Annotated[
        Literal[
            "eligibility",
            "decisions",
            "perks",
            "services",
            "consents",
            "callbacks",
            "orders",
            "reconciliation",
            "events",
            "me",
            "disputes",
            "reviews",
            "people",
            "features",
            "proposals",
            "releases",
            "rules",
            "keys",
            "today",
            "monitor",
            "evidence",
            "callers",
            "audit",
            "tokens",
        ],
        Field(description="a group of routes: the part after /v1 in their addresses"),
    ],
)
ProposalState = TypeAliasType(
    "ProposalState",
    Annotated[
        Literal[
            "draft",
            "checked",
            "measured",
            "in review",
            "approved",
            "rejected",
            "scheduled",
            "shadow",
            "partial",
            "in force",
            "rolled back",
            "replaced",
        ],
        Field(description="the state of a change of rules; shadow and partial: it is on trial"),
    ],
)
AlarmKind = TypeAliasType(
    "AlarmKind",
    Annotated[
        Literal[
            "break_glass",
            "trial_held",
            "rules_refused",
            "refresh_stuck",
            "callbacks_failed",
            "callbacks_late",
            "cases_overdue",
            "evidence_stale",
        ],
        Field(description="something that is wrong now"),
    ],
)
ActivationKind = TypeAliasType(
    "ActivationKind",
    Annotated[
        Literal["folder", "activation", "rollback", "break_glass", "break_glass_end"],
        Field(description="how a release came into force; activation: by two people"),
    ],
)
ReleaseMode = TypeAliasType(
    "ReleaseMode",
    Annotated[
        Literal["folder", "approved"],
        Field(description="who releases rules; folder: one person, by the rules folder; approved: two people"),
    ],
)
KeyRole = TypeAliasType(
    "KeyRole",
    Annotated[
        Literal["operator", "approver"],
        Field(description="what a key may sign; approver: approvals, and no submission"),
    ],
)
BreakAction = TypeAliasType(
    "BreakAction",
    Annotated[
        Literal["hold", "roll_back"],
        Field(description="what we do when a guard is broken: hold the share as it is, or end the trial"),
    ],
)
LineSort = TypeAliasType(
    "LineSort",
    Annotated[
        Literal["scorable", "bin", "rule", "knockout", "tier"],
        Field(description="a line of the rules: bin is a characteristic, by the bin of the value"),
    ],
)
ProblemSeverity = TypeAliasType(
    "ProblemSeverity",
    Annotated[Literal["error", "warning"], Field(description="whether a file can be released with the problem")],
)
