"""Identifiers from callers: a person, a party, a perk, named so that nobody else could be meant (`engine.lang.identifiers`)."""

from typing import Annotated

from pydantic import AfterValidator

from engine.errors import Refused
from engine.lang.identifiers import flaw


def unambiguous(text: str, where: str, code: str = "unknown_person") -> str:
    """The text as it is. Raises Refused when it is no identifier."""
    if said := flaw(text):
        raise Refused(f"the id {said}", where=where, hint="write it as it is written elsewhere", code=code)
    return text


def _unambiguous(text: str) -> str:
    if said := flaw(text):
        raise ValueError(said)
    return text


Identifier = Annotated[str, AfterValidator(_unambiguous)]
