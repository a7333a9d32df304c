"""Only a complete folder with passing cases goes live; we report content that it lost."""

import logging
import os
import shutil
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from api.releases import probe, releases, rules_folder
from api.releases.catalogue import kinds, schema
from api.releases.rules_folder import load_when_quiet, manifest_problems
from engine.errors import Rejected
from engine.lang.check.release import release_of
from tests.api.town import shipped_release
from tests.paths import ROOT

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FILES = rules_folder.rule_files(ROOT / "rules")[0]
TRUNCATED_PERKS = FILES["perks.yaml"][: FILES["perks.yaml"].index("  - id: apartment")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", folder)
    return folder


def write_manifest(folder: Path) -> None:
    sums = {name: sha256(path.read_bytes()).hexdigest() for name, path in rules_folder.rule_paths(folder)}
    (folder / "SHA256SUMS").write_text("".join(f"{sum_}  {name}\n" for name, sum_ in sums.items()))


def test_differences_from_the_manifest_are_listed(folder: Path) -> None:
    assert manifest_problems(folder) == ()  # there is none
    write_manifest(folder)
    assert manifest_problems(folder) == ()
    (folder / "perks.yaml").write_text(TRUNCATED_PERKS)
    (folder / "watch.yaml").unlink()
    (folder / "lists" / "new.yaml").write_text("kind: list\n")
    assert [line.split(":")[0] for line in manifest_problems(folder)] == [
        "lists/new.yaml is not in the manifest",
        "perks.yaml is not what the manifest says",
        "watch.yaml is in the manifest and not there",
    ]
    with pytest.raises(Rejected, match=r"incomplete: lists/new\.yaml"):
        load_when_quiet(folder, 0.01)


def test_loading_waits_until_the_folder_is_quiet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow copy: while the start waits, the copy writes another piece of the perks file. Its clock moves only then."""
    perks, full_text = folder / "perks.yaml", (folder / "perks.yaml").read_text()
    ends = [*range(len(TRUNCATED_PERKS), len(full_text), (len(full_text) - len(TRUNCATED_PERKS)) // 6), len(full_text)]
    clock = SimpleNamespace(now=time.time())

    def write_piece() -> None:
        perks.write_text(full_text[: ends.pop(0)])
        os.utime(perks, (clock.now, clock.now))

    def sleep(seconds: float) -> None:
        clock.now += seconds
        if ends:
            write_piece()

    write_piece()
    monkeypatch.setattr(rules_folder, "time", SimpleNamespace(time=lambda: clock.now, sleep=sleep))
    release, files = load_when_quiet(folder, 0.5)
    assert ends == []
    assert release.id == shipped_release().id
    assert files["perks.yaml"] == full_text
    assert "perks.cases.yaml" in files


def test_fewer_perks_rules_and_cases_are_logged_as_warnings(caplog: pytest.LogCaptureFixture) -> None:
    cases = FILES["perks.cases.yaml"]
    fewer_files = {**FILES, "perks.yaml": TRUNCATED_PERKS, "perks.cases.yaml": cases[: cases.rindex("  - name:")]}
    counts_before, counts_after = releases.count_rules(FILES), releases.count_rules(fewer_files)
    assert (
        counts_before["perks"],
        counts_after["perks"],
        counts_before["rules"] - counts_after["rules"],
        counts_before["cases"] - counts_after["cases"],
    ) == (5, 4, 9, 1)
    with caplog.at_level(logging.ERROR, "iftah"):
        amendment = releases.amendment_of(FILES, fewer_files, NOW)
        assert releases.amendment_of(fewer_files, FILES, NOW) is None  # more is no loss
    assert amendment
    lines = tuple(f"{counts_after[kind]} {kind}, {counts_before[kind]} before" for kind in ("perks", "rules", "cases"))
    assert amendment.changes == lines
    assert caplog.messages == [f"the rules folder lost content: {line}; is every file whole?" for line in lines]


def test_rules_with_failing_cases_are_not_served() -> None:
    perks = FILES["perks.yaml"].replace(
        "hotel.bad_record, when: bad_record,", "hotel.bad_record, when: identity.level >= 0,"
    )
    files = {**FILES, "perks.yaml": perks}
    with pytest.raises(Rejected, match=r"perks\.cases\.yaml:\d+:\d+ error case .*, and \d+ more: see `iftah test`"):
        probe.run_probe(release_of(files, schema(), kinds()), files=files)
