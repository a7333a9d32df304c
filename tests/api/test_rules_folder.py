"""What goes live is a whole folder whose cases come out; what it has less than before is told."""

import logging
import os
import shutil
import threading
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from api.catalogue import kinds, schema
from api.releases import probe, releases, rules_folder
from api.releases.rules_folder import load_settled, unfinished
from engine.errors import Refused
from engine.lang.check import release_of
from tests.api.world import ROOT, shipped

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FILES = rules_folder.rule_files(ROOT / "rules")[0]
TRUNCATED = FILES["perks.yaml"][: FILES["perks.yaml"].index("  - id: apartment")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", found)
    return found


def manifest(folder: Path) -> None:
    sums = {name: sha256(path.read_bytes()).hexdigest() for name, path in rules_folder.rule_paths(folder)}
    (folder / "SHA256SUMS").write_text("".join(f"{sum_}  {name}\n" for name, sum_ in sums.items()))


def test_a_folder_is_what_its_manifest_says_or_it_is_told_where_not(folder: Path) -> None:
    assert unfinished(folder) == ()  # there is none
    manifest(folder)
    assert unfinished(folder) == ()
    (folder / "perks.yaml").write_text(TRUNCATED)
    (folder / "watch.yaml").unlink()
    (folder / "lists" / "new.yaml").write_text("kind: list\n")
    assert [line.split(":")[0] for line in unfinished(folder)] == [
        "lists/new.yaml is not in the manifest",
        "perks.yaml is not what the manifest says",
        "watch.yaml is in the manifest and not there",
    ]
    with pytest.raises(Refused, match=r"not whole: lists/new\.yaml"):
        load_settled(folder, 0.01)


def test_a_start_waits_until_nobody_writes_the_folder(folder: Path) -> None:
    """A copy that takes a while: the perks first break off, and are whole after a third of a second."""
    whole = (folder / "perks.yaml").read_text()
    (folder / "perks.yaml").write_text(TRUNCATED)
    for path in folder.rglob("*.yaml"):
        os.utime(path)

    def copying() -> None:
        for end in range(len(TRUNCATED), len(whole), (len(whole) - len(TRUNCATED)) // 6):
            (folder / "perks.yaml").write_text(whole[:end])
            time.sleep(0.05)
        (folder / "perks.yaml").write_text(whole)

    writer = threading.Thread(target=copying)
    writer.start()
    release, files = load_settled(folder, 0.5)
    writer.join(30)
    assert release.id == shipped().id
    assert files["perks.yaml"] == whole
    assert "perks.cases.yaml" in files


def test_fewer_perks_rules_and_cases_than_before_are_told_loudly(caplog: pytest.LogCaptureFixture) -> None:
    cases = FILES["perks.cases.yaml"]
    fewer = {**FILES, "perks.yaml": TRUNCATED, "perks.cases.yaml": cases[: cases.rindex("  - name:")]}
    had, has = releases.counted(FILES), releases.counted(fewer)
    assert (had["perks"], has["perks"], had["rules"] - has["rules"], had["cases"] - has["cases"]) == (5, 4, 9, 1)
    with caplog.at_level(logging.ERROR, "iftah"):
        amended = releases.amendment(FILES, fewer, NOW)
        assert releases.amendment(fewer, FILES, NOW) is None  # more is no loss
    assert amended
    lines = tuple(f"{has[what]} {what}, {had[what]} before" for what in ("perks", "rules", "cases"))
    assert amended.changes == lines
    assert caplog.messages == [f"the rules folder has lost something: {line}; is every file whole?" for line in lines]


def test_rules_whose_cases_do_not_come_out_are_not_served_at_all() -> None:
    knocked = FILES["perks.yaml"].replace(
        "hotel.bad_record, when: bad_record,", "hotel.bad_record, when: identity.level >= 0,"
    )
    files = {**FILES, "perks.yaml": knocked}
    with pytest.raises(Refused, match=r"perks\.cases\.yaml:\d+:\d+ error case .*, and \d+ more: see `iftah test`"):
        probe.probed(release_of(files, schema(), kinds()), files=files)
