"""What operators do, tried: copies that can be gone on from, on both databases; and documents that name what there is."""

import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from api import metrics
from api.backup import copied
from api.database import open_database
from api.settings import Settings
from api.supervision import audit, digests
from api.world import World
from engine.errors import Refused
from tests.api.audited import Office
from tests.api.databases import created, dropped, named
from tests.api.world import ROOT

OPERATIONS = ROOT / "docs" / "operations.md"


@contextmanager
def restored(world: World, folder: Path) -> Iterator[Engine]:
    """A copy made as docs/operations.md says, and opened somewhere else."""
    url = world.database.url.render_as_string(hide_password=False)
    if world.database.dialect.name == "sqlite":
        copied(world.database, folder / "copy.db")
        engine = open_database(f"sqlite:///{folder / 'copy.db'}")
        yield engine
        engine.dispose()
        return
    server, dump = url.replace("+psycopg", ""), folder / "iftah.dump"
    subprocess.run(["pg_dump", "--format=custom", f"--file={dump}", server], timeout=240, check=True)
    name = created(server)
    subprocess.run(
        ["pg_restore", f"--dbname={named(server, name)}", "--exit-on-error", str(dump)], timeout=240, check=True
    )
    engine = open_database(named(server, name))
    yield engine
    engine.dispose()
    dropped(server, name)


def test_a_copy_is_restored_verified_and_gone_on_from(town: World, tmp_path: Path) -> None:
    office = Office(town)
    made = office.some(4)
    digests.make(town.database, office.now + timedelta(days=3))
    head = audit.verify(town.database).head
    with restored(town, tmp_path) as engine:
        found = audit.verify(engine, head=head)
        assert (found.decisions, found.head, found.broken) == (4, head, None)
        assert digests.listed(engine) == digests.listed(town.database)
        again = Office(World(engine, town.engines))
        again.numbers = office.numbers
        assert again.get(f"decisions/{made[0].id}/replay").json()["equal"]
        again.decided(again.people[9])
        after = audit.verify(engine, head=head)
        assert (after.decisions, after.broken) == (5, None)
        with pytest.raises(Exception, match="append-only"), engine.begin() as connection:
            connection.exec_driver_sql("update decisions set outcome = 'x'")
        # an answer that came after the copy is missing there, and is seen to be
        office.decided(office.people[8])
        missing = audit.verify(engine, head=audit.verify(town.database).head).broken
        assert missing is not None


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_a_copy_is_the_owners_alone_and_never_takes_a_files_place(town: World, tmp_path: Path) -> None:
    copied(town.database, tmp_path / "copy.db")
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    with pytest.raises(Refused, match="it is there already"):
        copied(town.database, tmp_path / "copy.db")
    with pytest.raises(Refused, match="cannot be written"):
        copied(town.database, tmp_path / "none" / "copy.db")
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".new")] == []


def test_what_to_watch_names_every_metric_and_only_those() -> None:
    source = Path(metrics.__file__).read_text()
    there = {re.sub(r"_total$", "", n) for n in re.findall(r'"(iftah_[a-z_]+)"', source)}
    said = {re.sub(r"_(total|bucket)$", "", n) for n in re.findall(r"`(iftah_[a-z_]+)", OPERATIONS.read_text())}
    assert said == there


def test_the_compose_file_and_the_image_set_settings_that_there_are() -> None:
    for name in ("Dockerfile", "compose.yaml", "docs/operations.md"):
        said = set(re.findall(r"IFTAH_([A-Z_]+)", (ROOT / name).read_text()))
        assert said - {"CONFIG", "IMAGE", "PASSWORD_FILE"} <= {s.upper() for s in Settings.model_fields}, name


def test_the_image_is_pinned_runs_as_nobody_special_and_holds_no_secret() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER iftah$", text, re.MULTILINE)
    assert "--require-hashes" in text
    assert "HEALTHCHECK" in text
    for name in ("Dockerfile", "compose.yaml"):
        assert not re.search(r"(PASSWORD|TOKEN|SECRET)\s*[=:]\s*[\w'\"]", (ROOT / name).read_text())
