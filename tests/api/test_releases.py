"""Releases: read from a folder, kept, and which of them was in force last."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from api.catalogue import kinds, schema
from api.releases import releases, rules_folder
from engine.lang.check import release_of
from engine.lang.program import Release
from tests.api.world import NOW, ROOT

FILES = rules_folder.rule_files(ROOT / "rules")[0]


def changed(file: str, *change: str) -> Release:
    return release_of({**FILES, file: FILES[file].replace(*change)}, schema(), kinds())


SHIPPED = release_of(FILES, schema(), kinds())
OTHER = changed("trust.yaml", "base: 480", "base: 490")


def test_lists_are_read_from_their_own_folder_and_nothing_deeper(tmp_path: Path) -> None:
    for name in ("trust.yaml", "lists/cities.yaml", "lists/old/cities.yaml", "notes/a.yaml", "lists/readme.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n")
    texts, problems = rules_folder.rule_files(tmp_path)
    assert texts == {"trust.yaml": "# trust.yaml\n", "lists/cities.yaml": "# lists/cities.yaml\n"}
    assert problems == ()


def test_a_list_that_is_no_text_is_told_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "cities.yaml").write_bytes(b"kind: \xff\n")
    _, release, problems = rules_folder.checked(tmp_path)
    assert release is None
    assert str(problems[0]) == "lists/cities.yaml:1:1 error R008 byte 6 is not UTF-8 (save the file as UTF-8)"


def test_what_was_in_force_before_is_known_even_when_it_comes_again(engine: Engine) -> None:
    assert releases.keep(engine, SHIPPED, 10) == {}  # nothing was before
    assert releases.keep(engine, SHIPPED, 20) == {}  # it goes on
    assert releases.keep(engine, OTHER, 30) == SHIPPED.files
    assert releases.keep(engine, SHIPPED, 40) == OTHER.files
    assert releases.keep(engine, OTHER, 5) == SHIPPED.files  # a clock that was set back changes no order
    assert releases.keep(engine, OTHER, 6) == {}
    assert {releases.kept(engine, r.id).id for r in (SHIPPED, OTHER)} == {SHIPPED.id, OTHER.id}


def test_a_change_of_policy_is_a_warning_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    loose = changed("policy.yaml", "relationships_share: 5", "relationships_share: 10")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with caplog.at_level(logging.WARNING, "iftah"):
        found = releases.amendment(SHIPPED.files, loose.files, now)
        assert releases.amendment(SHIPPED.files, OTHER.files, now) is None
        assert releases.amendment({}, loose.files, now) is None  # the first of all changes nothing
    assert found == releases.Amendment(now, ("relationships_share 5 -> 10",))
    assert caplog.messages == ["the policy has changed: relationships_share 5 -> 10"]


def test_what_was_kept_is_the_release_to_the_letter(engine: Engine) -> None:
    releases.keep(engine, OTHER, int(NOW.timestamp()))
    again = releases.kept(engine, OTHER.id)
    assert (again.files, again.programs) == (OTHER.files, OTHER.programs)
