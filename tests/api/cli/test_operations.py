"""The operators' procedures: a copy that you can continue from, on both databases; documents that name existing things."""

import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from api.http import metrics
from api.runtime.context import AppContext
from api.settings.settings import Settings
from api.store.backup import copy_database
from api.store.database import open_database
from api.supervision import audit, digests
from engine.errors import Rejected
from tests.api.audit_client import AuditClient
from tests.api.database_templates import create_database, drop_database, url_of
from tests.paths import DOCS, ROOT

OPERATIONS = DOCS / "operations.md"


@contextmanager
def restore_copy(context: AppContext, folder: Path) -> Iterator[Engine]:
    """A copy made as docs/operations.md describes, and opened somewhere else."""
    url = context.database.url.render_as_string(hide_password=False)
    if context.database.dialect.name == "sqlite":
        copy_database(context.database, folder / "copy.db")
        database = open_database(f"sqlite:///{folder / 'copy.db'}")
        yield database
        database.dispose()
        return
    server, dump = url.replace("+psycopg", ""), folder / "iftah.dump"
    subprocess.run(["pg_dump", "--format=custom", f"--file={dump}", server], timeout=240, check=True)
    name = create_database(server)
    subprocess.run(
        ["pg_restore", f"--dbname={url_of(server, name)}", "--exit-on-error", str(dump)], timeout=240, check=True
    )
    database = open_database(url_of(server, name))
    yield database
    database.dispose()
    drop_database(server, name)


def test_a_restored_copy_verifies_and_can_continue(town: AppContext, tmp_path: Path) -> None:
    client = AuditClient(town)
    decisions = client.decide_many(4)
    digests.make_digests(town.database, client.now + timedelta(days=3))
    head = audit.verify(town.database).head
    with restore_copy(town, tmp_path) as restored_database:
        report = audit.verify(restored_database, head=head)
        assert (report.decisions, report.head, report.first_break) == (4, head, None)
        assert digests.list_digests(restored_database) == digests.list_digests(town.database)
        restored_client = AuditClient(AppContext(restored_database, town.evaluators))
        restored_client.numbers = client.numbers
        assert restored_client.get(f"decisions/{decisions[0].id}/replay").json()["equal"]
        restored_client.decide(restored_client.people[9])
        report_after = audit.verify(restored_database, head=head)
        assert (report_after.decisions, report_after.first_break) == (5, None)
        with pytest.raises(Exception, match="append-only"), restored_database.begin() as connection:
            connection.exec_driver_sql("update decisions set outcome = 'x'")
        # an answer after the copy is missing there, and the audit notices
        client.decide(client.people[8])
        chain_break = audit.verify(restored_database, head=audit.verify(town.database).head).first_break
        assert chain_break is not None


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_a_copy_is_readable_by_its_owner_only_and_overwrites_no_file(town: AppContext, tmp_path: Path) -> None:
    copy_database(town.database, tmp_path / "copy.db")
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    with pytest.raises(Rejected, match="it is there already"):
        copy_database(town.database, tmp_path / "copy.db")
    with pytest.raises(Rejected, match="cannot be written"):
        copy_database(town.database, tmp_path / "none" / "copy.db")
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".new")] == []


def test_the_operations_page_names_exactly_the_existing_metrics() -> None:
    source = Path(metrics.__file__).read_text()
    metric_names = {re.sub(r"_total$", "", n) for n in re.findall(r'"(iftah_[a-z_]+)"', source)}
    documented_names = {
        re.sub(r"_(total|bucket)$", "", n) for n in re.findall(r"`(iftah_[a-z_]+)", OPERATIONS.read_text())
    }
    assert documented_names == metric_names


def test_the_compose_file_and_the_image_set_existing_settings() -> None:
    for name in ("Dockerfile", "compose.yaml", "docs/operations.md"):
        setting_names = set(re.findall(r"IFTAH_([A-Z_]+)", (ROOT / name).read_text()))
        assert setting_names - {"CONFIG", "IMAGE", "PASSWORD_FILE"} <= {s.upper() for s in Settings.model_fields}, name


def test_the_image_is_pinned_runs_unprivileged_and_holds_no_secret() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER iftah$", text, re.MULTILINE)
    assert "--require-hashes" in text
    assert "HEALTHCHECK" in text
    for name in ("Dockerfile", "compose.yaml"):
        assert not re.search(r"(PASSWORD|TOKEN|SECRET)\s*[=:]\s*[\w'\"]", (ROOT / name).read_text())


def test_the_compose_file_trusts_only_the_proxy_on_its_gateway() -> None:
    text = (ROOT / "compose.yaml").read_text()
    trusted = re.findall(r"FORWARDED_ALLOW_IPS: (\S+)", text)
    assert trusted == re.findall(r"gateway: ([\d.]+)", text)


def test_the_image_has_a_base_argument_and_a_liveness_check() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${BASE}", "${BASE}"]
    assert "/v1/health/live" in text
    assert "pip install --require-hashes -r constraints-dev.txt" not in text  # development tools stay out
