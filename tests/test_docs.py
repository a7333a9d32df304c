"""The documents say what is there: generated ones are as generated, named ones exist, the README's settings are all of them."""

import re
from pathlib import Path

import pytest

import graph
from api.settings import Settings
from graph.catalog import DIMENSIONS

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_readme_names_every_setting_and_only_those() -> None:
    said = set(re.findall(r"`(IFTAH_[A-Z_]+)`", (ROOT / "README.md").read_text()))
    assert said == {f"IFTAH_{name.upper()}" for name in Settings.model_fields}


def test_every_feature_of_the_catalogue_is_in_the_document_and_no_other() -> None:
    text = (ROOT / "docs" / "features.md").read_text()
    assert re.findall(r"^\| `([a-z]+\.\w+)`", text, re.MULTILINE) == [f.name for f in graph.schema()]


def test_the_document_of_features_is_as_generated() -> None:
    assert (ROOT / "docs" / "features.md").read_text() == features_document()


def features_document() -> str:
    """docs/features.md. After a change of the catalogue: `python -m tests.test_docs`."""
    lines = ["# Features", "", "What rules can speak of. Generated from [the catalogue](../graph/catalog/__init__.py)."]
    for dimension in DIMENSIONS:
        lines += [
            "",
            f"## {dimension}",
            "",
            "| name | type | unit | window | class | what it says |",
            "|---|---|---|---|---|---|",
        ]
        for f in (f for f in graph.schema() if f.dimension == dimension):
            kind = f"decimal({f.digits})" if f.digits else f.type
            about = " ".join(filter(None, (f.about, f.missing, f"Source: {f.reference}." if f.reference else "")))
            lines.append(f"| `{f.name}` | {kind} | {f.unit} | {f.window} | {f.data_class} | {about} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "features.md").write_text(features_document())
