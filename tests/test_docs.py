"""Check the documents against the code: generated ones are current, links lead somewhere, settings exist, the prose is plain."""

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import iftah
from api.settings.settings import Settings
from api.settings.source import FORMER_NAMES as FORMER_SETTINGS
from api.settings.source import NAMES
from graph.catalog.former_names import FORMER_NAMES as FORMER_FEATURES
from tests import prose, settings_document
from tests.features_document import DOCUMENT, INTRODUCTION, document, format_value
from tests.paths import DOCS, ROOT
from tests.test_architecture import tracked_files

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(DOCS).rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_every_link_of_a_document_has_a_target(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_every_setting_is_known_by_its_name_before_settings_are_validated() -> None:
    assert set(NAMES) == set(Settings.model_fields), "add the new setting to NAMES of api/settings/source.py"


def test_the_changelog_lists_former_and_new_names() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    migration = import_module("api.store.migrations.versions.0011_standard_names")
    declared = {f.formerly: f.name for f in iftah.FEATURES if f.formerly}
    for former, name in (FORMER_SETTINGS | FORMER_FEATURES | declared | migration.TABLES).items():
        assert re.search(rf"^\|[^|]*\| `{re.escape(former)}` \| `{re.escape(name)}` \|$", text, re.MULTILINE), former


def test_the_changelog_dates_and_tags_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", text, re.MULTILINE)
    assert f"`v{version}`" in text


def test_the_settings_page_equals_the_generated_one() -> None:
    assert settings_document.DOCUMENT.read_text(encoding="utf-8") == settings_document.document(), (
        "run `python -m tests.settings_document`"
    )


def test_every_feature_of_the_catalogue_has_a_row_and_a_section_and_no_other_has() -> None:
    text, names = DOCUMENT.read_text(encoding="utf-8"), [f.name for f in iftah.FEATURES]
    assert re.findall(r"^\| \[`([a-z]+\.\w+)`", text, re.MULTILINE) == names
    assert re.findall(r"^### `([a-z]+\.\w+)`", text, re.MULTILINE) == names


def test_every_link_within_the_document_of_features_leads_to_a_section() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    anchors = {re.sub(r"[`.]", "", title) for title in re.findall(r"^### (.+)", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) == anchors


def test_every_letter_of_a_formula_is_explained_in_it_or_in_the_document() -> None:
    document_letters = set(re.findall(r"`([A-Z])`", INTRODUCTION))
    for f in iftah.FEATURES:
        assert [
            c
            for c in re.findall(r"\b[A-Z]\b", f.formula)
            if c not in document_letters | {*re.findall(r"\b([A-Z]):", f.formula)}
        ] == [], f.name


def test_the_features_page_equals_the_generated_one() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run `python -m tests.features_document`"


def test_a_value_is_written_in_its_unit() -> None:
    by_name = {f.name: f for f in iftah.FEATURES}
    assert format_value(by_name["behaviour.burstiness"], -5) == "-0.05"
    assert format_value(by_name["relationships.clustering"], 1000) == "1.000"
    assert format_value(by_name["capacity.income_cover"], 165846) == "1,658.46"
    assert format_value(by_name["behaviour.payment_total"], 0) == "0.00"


@pytest.mark.parametrize("part", [part for part in prose.parts() if part != "decision records"])
def test_the_prose_keeps_to_its_limits(part: str) -> None:
    """`python -m tests.prose --pages` lists the pages, worst first."""
    total = prose.parts()[part]
    if total.words:
        assert total.idiom_rate <= prose.MAX_IDIOM
        assert total.reader_rate >= prose.MIN_READER or part == prose.MESSAGES  # these name a thing in half a line


TEST_VARIABLES = {
    "AGREEMENT",
    "DATASETS_URL",
    "PUBLIC_DATA_DIR",
    "TEST_POSTGRES",
    "CONFIG",
}  # of tests, CI, and the settings' file


def test_every_variable_that_a_script_or_page_names_is_a_setting() -> None:
    """A script that sets a setting by its former name does not start."""
    texts = {
        p: p.read_text(encoding="utf-8") for p in tracked_files() if p.suffix != ".py" and p.name != "CHANGELOG.md"
    }
    pages = {p: text for p, text in texts.items() if "decisions" not in p.parts and "tests" not in p.parts}
    names = {
        (str(p.relative_to(ROOT)), name) for p, text in pages.items() for name in re.findall(r"IFTAH_([A-Z_]+)", text)
    }
    settings = {name.upper() for name in Settings.model_fields}
    assert sorted((path, name) for path, name in names if name.strip("_") not in settings | TEST_VARIABLES) == []
