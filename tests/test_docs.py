"""The documents say what is there: generated ones are as generated, named ones exist, the README's settings are all of them."""

import re
from pathlib import Path

import pytest

import graph
from api.settings import Settings
from api.settings_source import NAMES
from tests import settings_document
from tests.features_document import DOCUMENT, INTRODUCTION, document, written

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_readme_names_no_setting_that_is_not_there() -> None:
    said = set(re.findall(r"`(IFTAH_[A-Z_]+)`", (ROOT / "README.md").read_text()))
    assert said <= {f"IFTAH_{name.upper()}" for name in Settings.model_fields}


def test_every_setting_is_known_by_its_name_before_settings_are_validated() -> None:
    assert set(NAMES) == set(Settings.model_fields), "add the new setting to NAMES of api/settings_source.py"


def test_the_document_of_settings_is_as_generated() -> None:
    assert settings_document.DOCUMENT.read_text(encoding="utf-8") == settings_document.document(), (
        "run `python -m tests.settings_document`"
    )


def test_every_feature_of_the_catalogue_has_a_row_and_a_section_and_no_other_has() -> None:
    text, names = DOCUMENT.read_text(encoding="utf-8"), [f.name for f in graph.schema()]
    assert re.findall(r"^\| \[`([a-z]+\.\w+)`", text, re.MULTILINE) == names
    assert re.findall(r"^### `([a-z]+\.\w+)`", text, re.MULTILINE) == names


def test_every_link_within_the_document_of_features_leads_to_a_section() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    anchors = {re.sub(r"[`.]", "", title) for title in re.findall(r"^### (.+)", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) == anchors


def test_every_letter_of_a_formula_is_explained_in_it_or_in_the_document() -> None:
    explained = set(re.findall(r"`([A-Z])`", INTRODUCTION))
    for f in graph.schema():
        assert [
            c
            for c in re.findall(r"\b[A-Z]\b", f.formula)
            if c not in explained | {*re.findall(r"\b([A-Z]):", f.formula)}
        ] == [], f.name


def test_the_document_of_features_is_as_generated() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run `python -m tests.features_document`"


def test_a_value_is_written_in_its_unit() -> None:
    by_name = {f.name: f for f in graph.schema()}
    assert written(by_name["behaviour.burstiness"], -5) == "-0.05"
    assert written(by_name["relationships.clustering"], 1000) == "1.000"
    assert written(by_name["capacity.income_cover"], 165846) == "1,658.46"
    assert written(by_name["behaviour.payment_total"], 0) == "0"
