"""Every route answers what its OpenAPI document says: requests are made from the document, proper and improper ones."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.database import open_database
from tests.api.databases import Template
from tests.api.every_route import ROUTES, Doors, Route, bearer
from tests.effort import pairs

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@schemathesis.serializer("application/x-ndjson")
def lines(_context: Any, value: Any) -> bytes:
    return (value if isinstance(value, str) else json.dumps(value)).encode(errors="surrogatepass")


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory, settled: Template) -> Iterator[Doors]:
    with settled.lent("", tmp_path_factory.mktemp("schemathesis")) as url:
        database = open_database(url)
        doors = Doors(database)
        yield doors
        doors.world.engines.close()
        database.dispose()


@cache
def document(doors: Doors) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_asgi("/openapi.json", doors.app)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_route_answers_what_its_document_says(doors: Doors, route: Route) -> None:
    operation = document(doors)[route.path][route.method]
    cases = st.one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)
    token = bearer(doors.token(route))
    there = {"subject": doors.person, "perk": "hotel", "service": "hotel"}  # otherwise nobody is ever known

    @settings(
        max_examples=pairs(5, 300),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, known=st.booleans())
    def answers(case: schemathesis.Case, known: bool) -> None:
        if known and isinstance(case.body, dict):
            case.body = case.body | {name: value for name, value in there.items() if name in case.body}
        case.validate_response(case.call(headers=token), checks=CHECKS)

    answers()


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_route_documents_what_any_may_answer(route: Route, doors: Doors) -> None:
    said = doors.app.openapi()["paths"][route.path][route.method.lower()]["responses"]
    assert {"400", "401", "403", "404", "413", "422", "503"} <= set(said)
    assert "500" not in said
