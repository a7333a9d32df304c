"""`iftah links`: who may link ids, as an operator permits it at a terminal, and as imports then take links."""

from pathlib import Path

from tests.api.imports import ImportRunner
from tests.api.terminal import CompletedCommand, environment, run_in_process

LINK_MAP = """\
kind: map
set:
  contributor: {value: registry}
  happened_at: {column: at, zone: UTC}
events:
  - kind: person.same_as
    set:
      event_id: "link-{id}"
      subject: one
      other: two
"""
LINKS = "id,one,two,at\n1,ann,ben,2026-01-03T09:30:00\n2,ben,cy,2026-01-04T10:00:00\n"
REASON = "person.same_as: this contributor may not send `person.same_as`: ask an operator for `iftah links allow`"


def links(runner: ImportRunner, *words: str) -> CompletedCommand:
    return run_in_process(("links", *words), environment(IFTAH_DATABASE_URL=runner.url), runner.folder)


def test_an_import_takes_links_of_permitted_contributors_only(database_url: str, tmp_path: Path) -> None:
    runner = ImportRunner(database_url, tmp_path)
    assert runner.import_text(LINK_MAP, LINKS).returncode == 1
    assert runner.rejects() == [(2, REASON), (3, REASON)]
    assert "2 rejected" in runner.run("in.csv", "--dry-run").stdout.splitlines()[-1]
    allowed = links(runner, "allow", "registry")
    assert (allowed.returncode, allowed.stdout) == (0, "registry may link ids\n")
    assert links(runner, "allow", "registry").stdout == "registry may link ids already\n"
    assert links(runner, "list").stdout.startswith("registry  since 2")
    assert "2 accepted" in runner.run("in.csv", "--dry-run").stdout.splitlines()[-1]
    assert runner.run("in.csv").returncode == 0
    assert runner.events("subject", "other") == [("ann", "ben"), ("ben", "cy")]
    assert links(runner, "deny", "registry").stdout == "registry may not link ids any more\n"
    denied = links(runner, "deny", "registry")
    assert (denied.returncode, denied.stderr) == (
        2,
        "iftah: contributor: `registry` may not send links (see `iftah links list`)\n",
    )
    assert "has a character that cannot be seen" in links(runner, "allow", "regi\u200bstry").stderr
