"""Parse the JSON of a request strictly: we reject a repeated key instead of choosing one of its values."""

import json
from typing import Any

from fastapi import HTTPException, Request

from engine.errors import Rejected
from graph.evidence.unique_keys import RepeatedKey, object_with_unique_keys, printable_key, reject_constant


class UnreadableBody(HTTPException):
    """A body that we cannot parse, with the `rejection`. It is an HTTPException: FastAPI replaces any other error from a body."""

    def __init__(self, rejection: Rejected) -> None:
        super().__init__(422)
        self.rejection = rejection


def parse_strict(body: bytes) -> Any:
    """The parsed body. Raises RepeatedKey, another ValueError for what is no JSON, and RecursionError."""
    return json.loads(body, object_pairs_hook=object_with_unique_keys, parse_constant=reject_constant)


class JsonRequest(Request):
    """A request whose JSON may have each key only once."""

    async def json(self) -> Any:
        """The parsed body. Raises UnreadableBody for a repeated key, and the errors of `json` for invalid JSON."""
        body = await self.body()
        try:
            return parse_strict(body)
        except RepeatedKey as error:
            key = printable_key(error.key)
            rejection = Rejected(f"`{key}` is there twice", where=key, hint="keep one", code="bad_request")
            raise UnreadableBody(rejection) from None
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise
        except ValueError:
            raise json.JSONDecodeError("a number is no JSON", "", 0) from None
