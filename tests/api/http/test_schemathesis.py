"""Every route answers as its OpenAPI document describes, for valid and invalid generated requests."""

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

from api.store.database import open_database
from tests.api.database_templates import Template
from tests.api.route_client import ROUTES, Route, RouteClient, bearer
from tests.effort import by_effort

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@schemathesis.serializer("application/x-ndjson")
def lines(_context: Any, value: Any) -> bytes:
    return (value if isinstance(value, str) else json.dumps(value)).encode(errors="surrogatepass")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, town_template: Template) -> Iterator[RouteClient]:
    with town_template.lend("", tmp_path_factory.mktemp("schemathesis")) as url:
        database = open_database(url)
        client = RouteClient(database)
        yield client
        client.context.evaluators.close()
        database.dispose()


@cache
def document(client: RouteClient) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_asgi("/openapi.json", client.app)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_responses_match_the_document(client: RouteClient, route: Route) -> None:
    operation = document(client)[route.path][route.method]
    cases = st.one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)
    token = bearer(client.token(route))
    known_values = {
        "subject": client.best_scored_person,
        "perk": "hotel",
        "service": "hotel",
    }  # otherwise no person would ever be known

    @settings(
        max_examples=by_effort(2, 300),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, use_known_values=st.booleans())
    def check_response(case: schemathesis.Case, use_known_values: bool) -> None:
        if use_known_values and isinstance(case.body, dict):
            case.body = case.body | {name: value for name, value in known_values.items() if name in case.body}
        case.validate_response(case.call(headers=token), checks=CHECKS)

    check_response()


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_common_error_responses_are_documented(route: Route, client: RouteClient) -> None:
    responses = client.app.openapi()["paths"][route.path][route.method.lower()]["responses"]
    assert {"400", "401", "403", "404", "413", "422", "503"} <= set(responses)
    assert "500" not in responses
