"""The OpenAPI document, for whoever reads or tries it at `/docs` or makes a client of it: routes named by their docstrings,
bodies that can be sent as they stand, an example of every answer, one problem for all, and what merchants are sent.
"""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.examples import ANSWERS, BODIES, PROBLEMS
from api.problems import DETAILS, MEDIA_TYPE, Problem
from api.routes import event_schema

# The servers, groups and names that a generated client goes by. `/` is whichever server gave the document.
SERVERS: Final = [{"url": "/", "description": "the server that gives this document"}]
CONTACT: Final = {"name": "whoever runs this server"}
LICENCE: Final = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
TAGS: Final = [
    {"name": "merchants", "description": "sign up for a service, ask for consent, ask about eligibility"},
    {
        "name": "orders",
        "description": "deposit-free orders from a decision to their settlement, and callbacks about them",
    },
    {"name": "contributors", "description": "send evidence, and see what was refused of it"},
    {"name": "people", "description": "what a person sees and does about themselves"},
    {"name": "operators", "description": "disputes and reviews that wait for a human"},
    {"name": "supervisors", "description": "every decision and release, replayed and proved; nothing is written"},
    {"name": "administration", "description": "tokens: who may call"},
    {"name": "operation", "description": "whether the server can answer"},
]
SIGNATURE: Final = "webhook_signature"
_SIGNED: Final = {
    **{"type": "apiKey", "in": "header", "name": "webhook-signature"},
    "description": "how a merchant knows that a callback is from here: Standard Webhooks, by the secret of GET /v1/callbacks/secret",
}
_UNNAMED: Final = "Successful Response"  # FastAPI's own words


def operation_id(route: APIRoute) -> str:
    """The name of a route in clients: its function's, which no other has."""
    return route.name


def describe(app: FastAPI) -> None:
    """Make the document of the app's routes such a one."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(plain())
        return plain()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the document


def _complete(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    schemas |= {DETAILS: Problem.model_json_schema() | {"title": DETAILS}} | event_schema.SCHEMAS
    for name, body in BODIES.items():
        schemas[name]["examples"] = [body]
    for schema in schemas.values():
        _without_titles(schema)
    document["components"]["examples"] = {name: {"value": value} for name, value in ANSWERS.items()} | {
        code: {"value": problem} for code, problem in PROBLEMS.items()
    }
    document["components"]["securitySchemes"][SIGNATURE] = _SIGNED
    for path in document["paths"].values():
        for operation in path.values():
            operation.setdefault("security", [])  # open to anyone
            _name(operation)
            _show(operation, schemas)
    for hook in document["webhooks"].values():
        for operation in hook.values():
            operation["security"] = [{SIGNATURE: []}]
            _name(operation)
            operation["requestBody"]["content"]["application/json"]["examples"] = _example("Told")


def _name(operation: dict[str, Any]) -> None:
    """The first sentence in the place of the function's name: what is listed tells itself."""
    operation["summary"] = operation["description"].partition(". ")[0].removesuffix(".")


def _show(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """An example of every answer; of each that has no words of its own, those of what it holds."""
    for answer in operation["responses"].values():
        for kind, content in answer.get("content", {}).items():
            if kind == MEDIA_TYPE:
                content["examples"] = {code: at for code, at in content["examples"].items() if code in PROBLEMS}
            elif (name := content.get("schema", {}).get("$ref", "").rpartition("/")[2]) in schemas:
                content["examples"] = _example(name)
                if answer["description"] == _UNNAMED:
                    answer["description"] = schemas[name]["description"]


def _example(name: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/examples/{name}"}}


def _without_titles(schema: dict[str, Any]) -> None:
    """No titles but the schema's own: generated clients make a class of each, and two of one name are none."""
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
