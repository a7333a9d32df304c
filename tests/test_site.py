"""The site of the documents, as far as it can be judged without MkDocs: its hooks are plain functions. `make docs` builds it."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from api.http.problems import HEAD_CODES, STATUS
from tests.paths import DOCS, ROOT


def hook(name: str) -> ModuleType:
    """A module of docs/site, which is no package."""
    spec = importlib.util.spec_from_file_location(f"site_{name}", DOCS / "site" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages, http_api, python_api = hook("pages"), hook("http_api"), hook("python_api")


def test_every_page_of_the_navigation_exists_and_every_guide_is_listed() -> None:
    nav = re.findall(r"^ +- [^:\n]+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.M)
    assert [p for p in nav if not (DOCS / p).exists() and p not in pages.ORIGINS] == []
    documents = {str(p.relative_to(DOCS)) for p in DOCS.rglob("*.md") if p.parent.name != "decisions"}
    assert documents - set(nav) == set()


def test_a_link_out_of_the_documents_leads_to_a_page_with_the_text() -> None:
    text = "[a](../../rules/trust.yaml#L1) [b](../events.md) [c](https://example.com) `x`\n```\n[d](../../rules)\n```\n"
    assert list(pages.outside_targets("docs/guides/x.md", text)) == ["rules/trust.yaml"]
    rewritten = pages.rewrite("docs/guides/x.md", "guides/x.md", text)
    assert "[a](../source/rules/trust.yaml.md#L1) [b](../events.md) [c](https://example.com)" in rewritten
    assert "[d](../../rules)" in rewritten  # code stays
    assert "kind: scorecard" in pages.source_page("rules/trust.yaml")
    assert "- `trust.yaml`" in pages.source_page("rules")


def test_links_of_the_readme_lead_to_pages_of_the_site() -> None:
    text = "[a](docs/events.md) [b](docs/decisions) [c](CONTRIBUTING.md) [d](engine)"
    expected = "[a](events.md) [b](decisions/README.md) [c](contributing.md) [d](source/engine/index.md)"
    assert pages.rewrite("README.md", "index.md", text) == expected


def test_the_http_api_page_has_every_operation_and_schema_once() -> None:
    openapi = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    text = http_api.operations(openapi)
    names = [item["operationId"] for methods in openapi["paths"].values() for item in methods.values()]
    names += [f"schema-{name.lower()}" for name in openapi["components"]["schemas"]]
    anchors = re.findall(r"\{ #([\w-]+) \}$", text, re.M)
    assert sorted(anchors) == sorted(names)
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= set(anchors)


def test_the_http_api_page_lists_the_answers_of_every_operation_once() -> None:
    text = http_api.operations(json.loads((DOCS / "openapi.json").read_text(encoding="utf-8")))
    for code in HEAD_CODES:
        assert len(re.findall(rf"^\| {STATUS[code]} \|.*`code` is {code} \|$", text, re.M)) == 1


def test_anchors_of_the_http_api_in_documents_exist() -> None:
    openapi = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    text = http_api.operations(openapi)
    for document in (*DOCS.rglob("*.md"), ROOT / "README.md"):
        for anchor in re.findall(r"http-api\.md#([\w-]+)", document.read_text(encoding="utf-8")):
            assert f"{{ #{anchor} }}" in text, f"{document.name}: {anchor}"


@pytest.mark.parametrize("name", python_api.INSIDE)
def test_the_python_api_page_names_existing_modules(name: str) -> None:
    assert (ROOT / Path(*name.split("."))).with_suffix(".py").exists() or (ROOT / Path(*name.split("."))).is_dir()
    assert f"::: {name}\n" in python_api.with_modules((DOCS / "python-api.md").read_text(encoding="utf-8"))
