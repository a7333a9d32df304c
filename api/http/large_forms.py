"""Forms that are larger than other bodies: rule files. We read them after the caller is authenticated, and parse them in a thread.

FastAPI would parse a body before it knows the caller, and on the event loop, where nothing else runs meanwhile.
"""

import json
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

from api.http.problems import BODY
from engine.errors import Rejected
from graph.evidence.unique_keys import RepeatedKey, object_with_unique_keys, printable_key, reject_constant

Form = TypeVar("Form", bound=BaseModel)
JSON_TYPE = "application/json"


async def read_body(request: Request) -> bytes:
    """The body, as a dependency: name it after the caller. Raises Rejected `bad_request` unless it is said to be JSON."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON_TYPE:
        message, hint = "the body is not said to be JSON", f"send `Content-Type: {JSON_TYPE}`"
        raise Rejected(message, where=BODY, hint=hint, code="bad_request")
    return await request.body()


def parse_form(body: bytes, form: type[Form]) -> Form:
    """The form in a body. Raises Rejected `bad_request` for a repeated key, and RequestValidationError for other mistakes."""
    try:
        payload = json.loads(body, object_pairs_hook=object_with_unique_keys, parse_constant=reject_constant)
        return form.model_validate(payload)
    except RepeatedKey as error:
        key = printable_key(error.key)
        raise Rejected(f"`{key}` is there twice", where=key, hint="keep one", code="bad_request") from None
    except ValidationError as error:
        problems = [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors(include_url=False)]
        raise RequestValidationError(problems) from None
    except (ValueError, RecursionError):
        problem = {"type": "json_invalid", "loc": ("body",), "msg": "no JSON", "input": {}, "ctx": {}}
        raise RequestValidationError([problem]) from None


def body_of(form: type[BaseModel]) -> dict[str, Any]:
    """The `openapi_extra` of a route that takes this form."""
    schema = {"$ref": f"#/components/schemas/{form.__name__}"}
    return {"requestBody": {"required": True, "content": {JSON_TYPE: {"schema": schema}}}}


def form_schemas(*forms: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """The components of the forms, with those that they contain."""
    _, document = models_json_schema(
        [(form, "validation") for form in forms], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, dict[str, Any]] = document["$defs"]
    return schemas
