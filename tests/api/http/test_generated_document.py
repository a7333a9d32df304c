"""The OpenAPI document for generators of clients, docs and mocks: stable and unique names, nothing missing."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, get_args

from api.access.auth import ROLES, SCOPES
from api.http import fields
from graph.evidence.vocabulary import CLASSES
from tests.api.http.test_openapi import OPERATIONS
from tests.api.route_client import DOCUMENT

COMPONENTS: Final = DOCUMENT["components"]
SCHEMAS: Final[dict[str, Any]] = COMPONENTS["schemas"]
MONEY_FIELD: Final = re.compile(r"(\w+_)?amount|ceiling|waived|deposit")


def test_each_operation_has_a_short_unique_name_without_its_path() -> None:
    names = [operation["operationId"] for operation in OPERATIONS]
    assert len(set(names)) == len(names) > 60
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+){1,3}", name)] == []
    assert {"ask_eligibility", "ask_consent", "create_order", "get_health"} <= set(names)


def test_every_tag_is_declared_and_described_and_every_declared_one_is_used() -> None:
    declared = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    assert all(declared.values())
    assert set(declared) == {tag for operation in OPERATIONS for tag in operation["tags"]}


def test_the_document_states_the_server_url() -> None:
    assert [server["url"] for server in DOCUMENT["servers"]] == ["/"]


def test_every_operation_states_its_security_even_if_public() -> None:
    security = {operation["operationId"]: operation["security"] for operation in OPERATIONS}
    scheme_names = set(COMPONENTS["securitySchemes"])
    assert security.pop("get_health") == security.pop("get_liveness") == security.pop("get_demo") == []
    assert security.pop("receive_order_event") == [{"webhook_signature": []}]
    assert all(len(schemes) == 1 and set(schemes[0]) <= scheme_names for schemes in security.values())
    assert {name for schemes in security.values() for name in schemes[0]} == {"HTTPBearer"}


def nodes_of(node: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document, with its place."""
    if isinstance(node, dict):
        yield place, node
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        if key not in ("example", "examples"):
            yield from nodes_of(value, f"{place}/{key}")


def test_each_enumeration_is_one_component() -> None:
    """An enumeration within a field would become a class of its own in a client, for each field."""
    inline = [place for place, node in nodes_of(DOCUMENT) if "enum" in node and isinstance(node["enum"], list)]
    assert [p for p in inline if not re.fullmatch(r"/components/schemas/\w+", p)] == []
    values = [frozenset(SCHEMAS[place.rpartition("/")[2]]["enum"]) for place in inline]
    assert Counter(values).most_common(1)[0][1] == 1
    assert len(values) >= 18


def test_enumerations_match_the_values_of_the_code() -> None:
    for alias, words in ((fields.Role, ROLES), (fields.Scope, SCOPES), (fields.DataClass, CLASSES)):
        assert set(get_args(get_args(alias.__value__)[0])) == set(words)


def test_money_is_a_64_bit_integer_everywhere() -> None:
    field_count = 0
    for place, node in nodes_of(SCHEMAS):
        for name, field in node.get("properties", {}).items():
            integers = [schema for schema in (field, *field.get("anyOf", ())) if "integer" in schema.get("type", ())]
            if MONEY_FIELD.fullmatch(name) and integers:
                assert [schema.get("format") for schema in integers] == ["int64"], f"{place}.{name}"
                field_count += 1
    assert field_count > 20


def test_no_two_schemas_share_a_name() -> None:
    """A client makes a class of each title: of two `Problem`, one was lost, and every error with it."""
    titles = Counter(node["title"] for place, node in nodes_of(SCHEMAS) if isinstance(node.get("title"), str))
    assert {title for title, count in titles.items() if count > 1} == set()
    assert [name for name in SCHEMAS if not re.fullmatch(r"[A-Z][A-Za-z]+", name)] == []
    assert {title for title in titles if title not in SCHEMAS} == set()
