"""Releases: read them from a folder, store them, and find the one in force."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from api.releases import releases, rules_folder
from api.releases.catalogue import kinds, schema
from engine.lang.check.release import release_of
from engine.lang.model.program import Release
from tests.api.town import NOW
from tests.paths import ROOT

FILES = rules_folder.rule_files(ROOT / "rules")[0]


def release_with(file: str, *change: str) -> Release:
    return release_of({**FILES, file: FILES[file].replace(*change)}, schema(), kinds())


SHIPPED_RELEASE = release_of(FILES, schema(), kinds())
OTHER_RELEASE = release_with("trust.yaml", "base: 480", "base: 490")


def test_lists_are_read_from_their_own_folder_without_subfolders(tmp_path: Path) -> None:
    for name in ("trust.yaml", "lists/cities.yaml", "lists/old/cities.yaml", "notes/a.yaml", "lists/readme.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n")
    texts, problems = rules_folder.rule_files(tmp_path)
    assert texts == {"trust.yaml": "# trust.yaml\n", "lists/cities.yaml": "# lists/cities.yaml\n"}
    assert problems == ()


def test_a_list_that_is_not_text_is_reported_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "cities.yaml").write_bytes(b"kind: \xff\n")
    _, release, problems = rules_folder.check_folder(tmp_path)
    assert release is None
    assert str(problems[0]) == "lists/cities.yaml:1:1 error R008 byte 6 is not UTF-8 (save the file as UTF-8)"


def test_a_release_that_returns_still_gives_the_earlier_release(database: Engine) -> None:
    assert releases.record_release(database, SHIPPED_RELEASE, 10) == {}  # nothing was before
    assert releases.record_release(database, SHIPPED_RELEASE, 20) == {}  # it goes on
    assert releases.record_release(database, OTHER_RELEASE, 30) == SHIPPED_RELEASE.files
    assert releases.record_release(database, SHIPPED_RELEASE, 40) == OTHER_RELEASE.files
    assert (
        releases.record_release(database, OTHER_RELEASE, 5) == SHIPPED_RELEASE.files
    )  # a clock that was set back changes no order
    assert releases.record_release(database, OTHER_RELEASE, 6) == {}
    assert {releases.load_release(database, r.id).id for r in (SHIPPED_RELEASE, OTHER_RELEASE)} == {
        SHIPPED_RELEASE.id,
        OTHER_RELEASE.id,
    }


def test_a_change_of_policy_logs_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    loose_release = release_with("policy.yaml", "relationships_share: 5", "relationships_share: 10")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with caplog.at_level(logging.WARNING, "iftah"):
        amendment = releases.amendment_of(SHIPPED_RELEASE.files, loose_release.files, now)
        assert releases.amendment_of(SHIPPED_RELEASE.files, OTHER_RELEASE.files, now) is None
        assert releases.amendment_of({}, loose_release.files, now) is None  # the first of all changes nothing
    assert amendment == releases.Amendment(now, ("relationships_share 5 -> 10",))
    assert caplog.messages == ["the policy has changed: relationships_share 5 -> 10"]


def test_a_stored_release_is_loaded_unchanged(database: Engine) -> None:
    releases.record_release(database, OTHER_RELEASE, int(NOW.timestamp()))
    stored_release = releases.load_release(database, OTHER_RELEASE.id)
    assert stored_release.files == OTHER_RELEASE.files
    # A stored release can also use former names of features, so its schema has more names.
    own = OTHER_RELEASE.programs[0]
    programs = [replace(p, schema=own.schema, relationships=own.relationships) for p in stored_release.programs]
    assert programs == list(OTHER_RELEASE.programs)
