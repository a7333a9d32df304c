"""Define the types that several kinds of rule files share."""

import re
from typing import Final

from engine.lang.syntax.schema_types import IDENT, ConditionType, DateType, Field, ListType, TextType

CONDITION: Final = ConditionType()
WORDS: Final = ListType(IDENT)
DATE_FIELDS: Final = (Field("from", DateType(), absent=None, to="since"), Field("until", DateType(), absent=None))
LANGUAGE: Final = TextType("a language", re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?"), hint="write en, zh or pt-BR")
LENGTH: Final = TextType("a duration", re.compile(r"[1-9][0-9]{0,5}[dhms]"), hint="write 30d, 12h, 45m or 90s")
ROLE: Final = TextType("a side", among=("subject", "other", "either"))
