"""Complete FastAPI's OpenAPI document, which you can read and try at `/docs` and generate clients from.

We add summaries from the docstrings, bodies that you can send unchanged, an example of every answer, one problem schema, the
answers to a request whose head is too large or too slow, and the callbacks that merchants receive.
"""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.http import example_figures, example_proposals, example_rules
from api.http.example_answers import ANSWERS
from api.http.examples import BODIES, PROBLEMS
from api.http.problems import HEAD_CODES, MEDIA_TYPE, PROBLEM_SCHEMA, STATUS, ProblemDetails, error_response
from api.http.routes import event_schema, evidence_overview, proposal_forms, rule_forms

# Servers, groups and names for generated clients. `/` is the server that returned the document.
SERVERS: Final = [{"url": "/", "description": "the server that returned this document"}]
CONTACT: Final = {"name": "the operator of this server"}
LICENCE: Final = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
TAGS: Final = [
    {"name": "merchants", "description": "sign up for a service, ask for consent, ask about eligibility"},
    {
        "name": "orders",
        "description": "deposit-free orders from a decision to their settlement, and callbacks about them",
    },
    {"name": "contributors", "description": "send evidence, and see which of it we refused"},
    {"name": "people", "description": "a person's own score, evidence, consents and orders"},
    {
        "name": "operators",
        "description": "what waits for a human, changes of rules by two people, and the figures of the day: answers, drift, evidence, callers",
    },
    {"name": "supervisors", "description": "read, replay and prove every decision and release"},
    {"name": "administration", "description": "the tokens of callers"},
    {"name": "operation", "description": "whether the server can answer"},
]
SIGNATURE: Final = "webhook_signature"
_SIGNATURE_SCHEME: Final = {
    "type": "apiKey",
    "in": "header",
    "name": "webhook-signature",
    "description": "proves to a merchant that we sent a callback: Standard Webhooks, with the secret of GET /v1/callbacks/secret",
}
_DEFAULT_DESCRIPTION: Final = "Successful Response"  # FastAPI's default


def operation_id(route: APIRoute) -> str:
    """The name of a route in clients: the unique name of its function."""
    return route.name


def describe(app: FastAPI) -> None:
    """Complete the document of the app when it is first requested."""
    base_openapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(base_openapi())
        return base_openapi()

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI documents for extending the document


def _complete(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    schemas |= {PROBLEM_SCHEMA: ProblemDetails.model_json_schema() | {"title": PROBLEM_SCHEMA}}
    forms = proposal_forms.SCHEMAS | evidence_overview.SCHEMAS | rule_forms.SCHEMAS
    schemas |= event_schema.SCHEMAS | {n: s for n, s in forms.items() if n not in schemas}
    bodies = BODIES | example_proposals.BODIES | example_figures.BODIES | example_rules.BODIES
    for name, body in bodies.items():
        schemas[name]["examples"] = [body]
    for schema in schemas.values():
        _remove_titles(schema)
    document["components"]["examples"] = {name: {"value": value} for name, value in ANSWERS.items()} | {
        code: {"value": problem} for code, problem in PROBLEMS.items()
    }
    document["components"]["responses"] = {code: error_response([code]) for code in HEAD_CODES}
    document["components"]["securitySchemes"][SIGNATURE] = _SIGNATURE_SCHEME
    for path in document["paths"].values():
        for operation in path.values():
            operation.setdefault("security", [])  # no token needed
            _set_summary(operation)
            _add_examples(operation, schemas)
            operation["responses"] |= {
                str(STATUS[code]): {"$ref": f"#/components/responses/{code}"} for code in HEAD_CODES
            }
    for hook in document["webhooks"].values():
        for operation in hook.values():
            operation["security"] = [{SIGNATURE: []}]
            _set_summary(operation)
            operation["requestBody"]["content"]["application/json"]["examples"] = _example("OrderNotification")


def _set_summary(operation: dict[str, Any]) -> None:
    """Use the first sentence of the docstring as the summary, instead of the function's name."""
    operation["summary"] = operation["description"].partition(". ")[0].removesuffix(".")


def _add_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Add an example to every answer, and the schema's description to an answer without one."""
    for response in operation["responses"].values():
        for media_type, content in response.get("content", {}).items():
            if media_type == MEDIA_TYPE:
                content["examples"] = {code: at for code, at in content["examples"].items() if code in PROBLEMS}
            elif (name := content.get("schema", {}).get("$ref", "").rpartition("/")[2]) in schemas:
                content["examples"] = _example(name)
                if response["description"] == _DEFAULT_DESCRIPTION:
                    response["description"] = schemas[name]["description"]


def _example(name: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/examples/{name}"}}


def _remove_titles(schema: dict[str, Any]) -> None:
    """Remove the titles of properties: generated clients make a class of each title, and two of one name clash."""
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
