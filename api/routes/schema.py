"""Schemas that several routes share: whole numbers of 64 bits, and each enumeration once, under a name of its own.

`X = Literal[..]` in a field makes a nameless list of words wherever it stands, and a class in a generated client for each place.
A `TypeAliasType` makes one component, to which every field refers.
"""

import re
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BeforeValidator, Field
from typing_extensions import TypeAliasType

# JSON has no bound for whole numbers, and many languages make 32 bits of them unless told otherwise.
Int64 = Annotated[int, Field(json_schema_extra={"format": "int64"})]
Money = Int64  # minor units

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_CLOCK: Final = re.compile(r"[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?", re.ASCII)
_ZONE: Final = re.compile(r"[Zz]|[+-]\d\d:?\d\d", re.ASCII)


def _moment(value: Any) -> Any:
    """Pydantic also takes seconds since 1970, as a number or a text, and a day for its midnight."""
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


# A moment is read only as it is unmistakable: ISO 8601 with a zone. A day is no moment.
Moment = Annotated[AwareDatetime, BeforeValidator(_moment, json_schema_input_type=datetime), Field(strict=False)]
Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=date), Field(strict=False)]

Outcome = TypeAliasType(
    "Outcome",
    Annotated[
        Literal["ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE"],
        Field(description="how much of the deposit is waived: all, a part, nothing; UNSCORABLE: too little is known"),
    ],
)
RecordedOutcome = TypeAliasType(
    "RecordedOutcome",
    Annotated[
        Literal["ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE", "REFUSED"],
        Field(description="as Outcome; REFUSED: the question was on record, and no rule was asked"),
    ],
)
DataClass = TypeAliasType(
    "DataClass",
    Annotated[
        Literal["identity", "relationship", "behaviour", "restricted", "credit"],
        Field(description="a class of evidence that a person consents to"),
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
        Field(description="what became of a request for consent"),
    ],
)
CallbackState = TypeAliasType(
    "CallbackState",
    Annotated[Literal["waiting", "sent", "failed"], Field(description="how far a message to a merchant has come")],
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
        Field(description="agreed: a dispute was ended; of states of the operators' own, those too"),
    ],
)
FundName = TypeAliasType(
    "FundName",
    Annotated[
        Literal["DEPOSIT", "ADVANCE", "CASH_DEPOSIT", "ESTIMATE_ORDER_COST"],
        Field(description="what an order puts at risk"),
    ],
)
Disputant = TypeAliasType(
    "Disputant", Annotated[Literal["merchant", "person"], Field(description="who disputes an order")]
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
    Annotated[Literal["open", "upheld", "rejected"], Field(description="what became of an objection to an item")],
)
ReviewOutcome = TypeAliasType(
    "ReviewOutcome",
    Annotated[
        Literal["stands", "mistaken"],
        Field(
            description="mistaken: what the decision rested on, evidence or a rule, is put right, and the merchant may ask anew"
        ),
    ],
)
RowOutcome = TypeAliasType(
    "RowOutcome",
    Annotated[Literal["accepted", "duplicate", "refused"], Field(description="what became of one event that was sent")],
)
Amendment = TypeAliasType(
    "Amendment",
    Annotated[
        Literal["corrected", "retracted", "disputed", "dispute_resolved"],
        Field(description="what was said of an event"),
    ],
)
Role = TypeAliasType(
    "Role",
    Annotated[
        Literal["merchant", "contributor", "subject", "operator", "approver", "supervisor", "admin"],
        Field(description="what a caller may do"),
    ],
)
Scope = TypeAliasType(
    "Scope",
    Annotated[
        Literal[
            "eligibility",
            "decisions",
            "services",
            "consents",
            "callbacks",
            "orders",
            "reconciliation",
            "events",
            "me",
            "disputes",
            "reviews",
            "audit",
            "tokens",
        ],
        Field(description="a group of routes: what comes after /v1 in their addresses"),
    ],
)
