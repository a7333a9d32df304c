"""Define the grammar of the policy, as tables of types: see `engine.lang.syntax.grammar`."""

from typing import Final

from engine.lang.model.problems import SourceSpan
from engine.lang.model.timezones import UTC_NAME, names
from engine.lang.syntax.ast import PolicyFile
from engine.lang.syntax.expression_tree import Word
from engine.lang.syntax.schema_types import Field, NumberType, RecordType, TextType
from engine.lang.syntax.terms import DATE_FIELDS, WORDS

ZONE: Final = TextType(
    "a time zone", among=tuple(sorted(names())), fallback_hint="write an IANA name such as Asia/Shanghai"
)
POLICY: Final = RecordType(
    "a policy",
    PolicyFile,
    (
        *DATE_FIELDS,
        Field("forbidden_classes", WORDS),
        Field("forbidden_names", WORDS),
        Field("restricted", WORDS),
        Field("relationships", WORDS),
        Field("relationships_share", NumberType(0, 100)),
        Field("alarms", WORDS, since=3, before=()),
        Field("timezone", ZONE, since=3, before=Word(UTC_NAME, SourceSpan("policy.yaml"))),
    ),
)
