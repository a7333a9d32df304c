"""The output of `iftah refresh`."""

import re
from pathlib import Path

from tests.api.terminal import CompletedCommand, environment, run_in_process


def test_refresh_prints_its_result_and_the_queue(tmp_path: Path) -> None:
    env = environment(IFTAH_DATABASE_URL=f"sqlite:///{tmp_path / 'iftah.db'}")

    def iftah(*args: str) -> CompletedCommand:
        return run_in_process(args, env)

    assert iftah("refresh").stderr == "iftah: server: no features have been built yet (run `iftah build`)\n"
    head = "contributor,event_id,kind,subject,other,happened_at,identity_level,amount,currency,purpose,classes\n"
    first = "bank,e1,person.enrolled,ann,,2024-01-01T00:00:00Z,2,,,,\n"
    second = 'bank,e2,consent.granted,ann,,2024-01-01T00:00:00Z,,,,perks,"identity,behaviour"\n'
    third = "bank,e3,payment.made,ann,shop,2024-03-01T00:00:00Z,,5,CNY,,\n"
    (tmp_path / "first.csv").write_text(head + first + second)
    (tmp_path / "second.csv").write_text(head + third)
    for words in (("load", str(tmp_path / "first.csv")), ("build",), ("load", str(tmp_path / "second.csv"))):
        assert iftah(*words).returncode == 0
    assert re.fullmatch(r"1 people for 1 new events in \d+\.\d s\n", iftah("refresh").stdout)
    assert iftah("refresh").stdout.startswith("0 people for 0 new events")
    assert iftah("build", "--as-of", "2024-02-01T00:00:00Z").returncode == 0
    assert "1 events happened after 2024-02-01T00:00:00Z" in iftah("refresh").stdout
