"""The JSON of a request's body, read strictly: a key that is there twice is refused, not guessed."""

import json
from typing import Any

from fastapi import HTTPException, Request

from engine.errors import Refused
from graph.json_keys import RepeatedKey, not_a_number, once, shown


class UnreadBody(HTTPException):
    """A body that cannot be read; `refused` says why. FastAPI lets no other error of a body through as it is."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(422)
        self.refused = refused


class JsonRequest(Request):
    """A request whose JSON has each key once."""

    async def json(self) -> Any:
        """What the body says. Raises UnreadBody, and json's errors for what is no JSON."""
        body = await self.body()
        try:
            return json.loads(body, object_pairs_hook=once, parse_constant=not_a_number)
        except RepeatedKey as error:
            key = shown(error.key)
            said = Refused(f"`{key}` is there twice", where=key, hint="keep one", code="bad_request")
            raise UnreadBody(said) from None
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise
        except ValueError:
            raise json.JSONDecodeError("a number is no JSON", "", 0) from None
