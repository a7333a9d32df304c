"""Define the grammar of the evidence file, as tables of types: see `engine.lang.syntax.grammar`."""

import re
from typing import Final

from engine.lang.syntax.evidence_ast import EventFieldLine, EventKindLine, EvidenceFile
from engine.lang.syntax.feature_grammar import TextsType
from engine.lang.syntax.schema_types import (
    IDENT,
    BoolType,
    Field,
    ListType,
    NumberType,
    RecordType,
    TableType,
    TextType,
)

WORD: Final = TextType("a word", re.compile(r"[a-z][a-z0-9_]*"), hint="lower-case letters, digits and _")
FIELD_NAME: Final = TextType(
    "the name of a field", re.compile(r"[a-z][a-z0-9_]{0,39}"), hint="lower-case letters, digits and _"
)
EVENT_TYPES: Final = ("bool", "int", "decimal", "money", "enum", "text", "date", "moment", "party", "category", "tie")
DATA_CLASSES: Final = ("identity", "relationship", "behaviour", "restricted", "credit")
STEPS: Final = ("opened", "paid", "missed", "settled", "written_off")
EVENT_FIELD: Final = RecordType(
    "a field of events",
    EventFieldLine,
    (
        Field("type", TextType("a type", among=EVENT_TYPES)),
        Field("digits", NumberType(1, 6), absent=None),
        Field("values", ListType(TextType(constant=True), min_items=1), absent=()),
        Field("low", NumberType(whole=False), absent=None),
        Field("high", NumberType(whole=False), absent=None),
        Field("negative", BoolType(), absent=False),
        Field("required", BoolType(), absent=False),
    ),
)
EVENT_KIND: Final = RecordType(
    "a kind of events",
    EventKindLine,
    (
        Field(
            "id",
            TextType(
                "the name of a kind",
                re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*"),
                hint="write two words, such as rental.returned",
            ),
        ),
        Field("about", TextsType()),
        Field("class", TextType("a data class", among=DATA_CLASSES), to="data_class"),
        Field("other", TextType("`required` or `optional`", among=("required", "optional")), absent=None),
        Field("counts_for", TextType("whom it counts for", among=("subject", "each", "both")), absent=None),
        Field("adverse", BoolType(), absent=False),
        Field("years", NumberType(1, 50), absent=None),
        Field("step", TextType("a step of an obligation", among=STEPS), absent=None),
        Field("reverses", IDENT, absent=None),
        Field("fields", TableType(FIELD_NAME, EVENT_FIELD, keep=True), absent=()),
    ),
)
EVIDENCE: Final = RecordType(
    "an evidence file",
    EvidenceFile,
    (
        Field("ties", ListType(WORD), absent=()),
        Field("categories", ListType(WORD), absent=()),
        Field("income", ListType(WORD), absent=()),
        Field("kinds", ListType(EVENT_KIND, min_items=1, max_items=500)),
    ),
)
