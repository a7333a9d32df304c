"""Identifiers from callers: a person, a party or a perk, in a form that you cannot confuse with another
(`engine.lang.model.identifiers`).
"""

from engine.errors import Rejected
from engine.lang.model.identifiers import flaw


def require_unambiguous(text: str, where: str, code: str = "unknown_person") -> str:
    """The text as it is. Raises Rejected when it is no identifier."""
    if problem := flaw(text):
        raise Rejected(f"the id {problem}", where=where, hint="write it as it is written elsewhere", code=code)
    return text


def validate_identifier(text: str) -> str:
    """The text as it is, for pydantic. Raises ValueError when it is no identifier."""
    if problem := flaw(text):
        raise ValueError(problem)
    return text
