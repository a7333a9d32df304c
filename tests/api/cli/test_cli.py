"""The command line at a terminal: output and exit statuses; real processes and a real port where they matter."""

import json
import os
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api import fork_server
from tests.api.ports import free_port, wait_until_healthy
from tests.api.terminal import IFTAH, CommandRunner, CompletedCommand, environment, run_in_process, run_in_subprocess
from tests.paths import ROOT


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A town of its own; no data set, and none of your own settings."""
    folder = tmp_path_factory.mktemp("cli")
    overrides = {"IFTAH_DATABASE_URL": f"sqlite:///{folder / 'iftah.db'}", "IFTAH_TOWN_PEOPLE": "150"}
    return environment(**overrides, IFTAH_DATASETS_DIR=str(folder / "none"), COLUMNS="120")


@pytest.fixture(scope="module")
def iftah(env: dict[str, str]) -> CommandRunner:
    def run(*args: str, **changes: str) -> CompletedCommand:
        return run_in_process(args, env | changes)

    return run


@pytest.fixture(scope="module")
def process(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> CommandRunner:
    """The command in a process of its own."""
    folder = tmp_path_factory.mktemp("said")

    def run(*args: str, **changes: str) -> CompletedCommand:
        return fork_server.run_iftah(folder, args, env | changes)

    return run


@pytest.fixture(scope="module")
def demo_output(process: CommandRunner) -> str:
    """The output of `iftah demo` on an empty database, which leaves a scored town."""
    result = process("demo")
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_demo_names_its_evidence_first(demo_output: str) -> None:
    assert demo_output.splitlines()[0].startswith("evidence: the town, 150 synthetic people, seed 1")


def test_the_demo_shows_stages_a_chart_and_an_answer_of_each_kind(demo_output: str) -> None:
    for stage in ("rules", "database", "load", "build", "score"):
        assert re.search(rf"│ {stage} +│ +\d+\.\d\d │", demo_output)
    assert re.search(r"\d+-\d+ █+ \d+", demo_output)
    for outcome in ("ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE"):
        assert f'"outcome":"{outcome}"' in demo_output
    assert "The person sees:" in demo_output
    assert "There is too little evidence for a score yet. [too_little_known]" in demo_output


def test_the_merchants_view_in_the_demo_has_no_score(demo_output: str) -> None:
    merchant_lines = [line for line in demo_output.splitlines() if line.startswith("The merchant sees:")]
    assert len(merchant_lines) == 4
    assert not [line for line in merchant_lines if "score" in line or "reason" in line]


def test_a_second_demo_loads_and_computes_nothing_again(demo_output: str, iftah: CommandRunner) -> None:
    output = iftah("demo").stdout
    assert "events are there already" in output
    assert re.search(r"features of [\d,]+ people are there already", output)
    assert "everyone is scored already" in output


def test_explain_shows_every_part_with_its_value_and_the_reasons(demo_output: str, iftah: CommandRunner) -> None:
    person = _admitted_person(demo_output)
    result = iftah("explain", person)
    assert result.returncode == 0
    assert re.match(
        rf"{person}: \d+, (fair|good|excellent|outstanding|poor) \(base 480\), as of \d{{4}}-\d\d-\d\d", result.stdout
    )
    parts, _, rules = result.stdout.partition("┃ rule")
    rows = re.findall(r"│ +(-?\d+) │ +(-?\d+) │$", parts, re.MULTILINE)
    assert len(rows) >= 20
    score = int(re.search(r": (\d+)", result.stdout)[1])  # type: ignore[index]
    assert 480 + sum(int(points) for points, _ in rows) == score
    # for each rule its condition, the value, and the distance
    assert re.search(rf"│ car\.800 +│ (not )?met +│ score >= 800 (not )?met \({score}, [+-]\d+ to turn\)", rules)


def test_explain_breaks_no_word_in_eighty_columns(demo_output: str, iftah: CommandRunner) -> None:
    wide, narrow = (
        iftah("explain", _admitted_person(demo_output), COLUMNS=columns).stdout for columns in ("400", "80")
    )
    assert max(map(len, narrow.splitlines())) == 80
    words = {word for line in wide.splitlines() if "│" in line for word in re.findall(r"[^\s│]{4,}", line)}
    assert len(words) > 100
    assert words - set(re.findall(r"[^\s│]{4,}", narrow)) == set()


def test_a_decline_by_a_tier_shows_the_condition_and_the_value(demo_output: str, iftah: CommandRunner) -> None:
    for n in range(1, 151):
        output = iftah("eligible", f"p-{n}", "--perk", "bicycle", "--amount", "200").stdout
        score = re.search(r"  score (\d+) ", output)
        if score and output.startswith("DECLINE") and "[written_off]" not in output:
            break
    assert score
    assert f"  bicycle.held was nearest: score >= 640: 640 needed, {score[1]} there\n" in output
    assert int(score[1]) < 640


def test_explain_shows_one_rule_by_itself(demo_output: str, iftah: CommandRunner) -> None:
    person = _admitted_person(demo_output)
    result = iftah("explain", person, "--rule", "apartment.pilot")
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{person}: apartment.pilot (apartment) is ")
    assert result.stdout.count("request.city in a list of 2") == 1
    assert result.stdout.count("score >= 700") == 1
    assert "car.800" not in result.stdout
    assert result.returncode == 0


def test_reasons_are_available_in_chinese(demo_output: str, iftah: CommandRunner) -> None:
    assert re.search(r"- [\u4e00-\u9fff]+", iftah("explain", _admitted_person(demo_output), "--language", "zh").stdout)


def test_eligible_decides_records_and_explains(demo_output: str, iftah: CommandRunner) -> None:
    result = iftah("eligible", _admitted_person(demo_output), "--perk", "hotel", "--amount", "500")
    assert result.returncode == 0
    assert re.match(
        r"(ADMIT: waived 500\.00, deposit 0\.00|DECLINE: waived 0\.00, deposit 500\.00) CNY\n", result.stdout
    )
    assert re.search(r"decision [0-9a-f]{32}, valid until \d{4}-", result.stdout)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("load", "a.csv", "b.csv", "--rejects", "c"), "one file cannot hold the rejected rows of several files"),
        (("eligible", "nobody", "--perk", "hotel", "--amount", "500"), "unknown person, or no consent"),
        (("eligible", "p-1", "--perk", "yacht", "--amount", "500"), "unknown perk `yacht`"),
        (("eligible", "p-1", "--perk", "hotel", "--amount", "-5"), "out of range"),
        (("eligible", "p-1", "--perk", "hotel", "--amount", "5.001"), "`5.001` is not an amount"),
        (("eligible", "p-1", "--perk", "hotel", "--amount", "much"), "`much` is not an amount"),
        (("explain", "nobody"), "unknown person, or no consent"),
        (("load", "no-such-file.csv"), "no-such-file.csv"),
        (("token", "issue", "--role", "king", "--party", "x"), "unknown role `king`"),
        (("token", "revoke", "nothing"), "no token `nothing`"),
        (("evaluate", "berka"), "there is no data set `berka`"),
        (("evaluate", "sybil"), "there is no data set `facebook-sybil`"),
        (("evaluate", "otc"), "there is no data set `bitcoin-otc`"),
        (("evaluate", "amlsim"), "there is no data set `amlsim`"),
        (("check", "/nowhere/at/all"), "/nowhere/at/all"),
        (("build", "--as-of", "2026"), "`2026` is not a moment"),
        (("build", "--as-of", "0001-01-01T00:00:00Z"), "`0001-01-01T00:00:00Z` is out of range"),
        (("build", "--as-of", "2026-01-31"), "is a day and not a moment (write 2026-01-31T00:00:00Z if you mean UTC"),
        (("build", "--as-of", "2026-01-31T09:30"), "does not say its time zone"),
        (("build", "--as-of", "9999-01-01T00:00:00Z"), "out of range"),
        (("explain", "p-1", "--language", "fr"), "unknown language `fr`"),
        (("explain", "p-1", "--rule", "car.65"), "there is no rule `car.65` (did you mean `car.650`"),
        (
            ("eligible", "p-1", "--perk", "hotel", "--amount", "5", "--with", "nights"),
            "`nights` is no field with a value",
        ),
        (
            ("eligible", "p-1", "--perk", "hotel", "--amount", "5", "--with", "nights=x"),
            "`nights` is not a whole number",
        ),
        (("token", "issue", "--role", "merchant", "--party", "operator"), "the house's own name"),
    ],
)
def test_an_impossible_command_prints_one_line(
    demo_output: str, iftah: CommandRunner, words: tuple[str, ...], message: str
) -> None:
    result = iftah(*words)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_process_prints_either_output_or_an_error_and_sets_its_status(
    demo_output: str, process: CommandRunner, env: dict[str, str]
) -> None:
    for words, status in (
        (("explain", "nobody"), 2),
        (("explain", _admitted_person(demo_output)), 0),
        (("no-such-command",), 2),
    ):
        result = run_in_subprocess(words, env) if words[-1] == "nobody" else process(*words)  # once as installed
        assert result.returncode == status
        assert (result.stderr == "") == (status == 0)
        assert (result.stdout == "") == (status != 0)
        assert "Traceback" not in result.stderr
        assert words[0] == "no-such-command" or len(result.stderr.splitlines()) == bool(status)


def test_evaluate_all_skips_missing_data_sets_and_says_so(iftah: CommandRunner) -> None:
    result = iftah("evaluate", "all")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        f"evaluate {name}: skipped, the data set is missing (set IFTAH_DATASETS_DIR)"
        for name in ("berka", "sybil", "otc", "amlsim")
    ]


@pytest.mark.parametrize(
    ("words", "changes", "messages"),
    [
        ("demo", {"IFTAH_PORT": "0", "IFTAH_SEED_EVIDENCE": "x"}, ("IFTAH_PORT `0`", "IFTAH_SEED_EVIDENCE `x`")),
        ("score", {"IFTAH_DATABASE_URL": "mongodb://x"}, ("unknown database scheme",)),
        ("score", {"IFTAH_DATABASE_URL": "sqlite:////nowhere/at/all/iftah.db"}, ("/nowhere/at/all/iftah.db",)),
        ("demo", {"IFTAH_RULES": "/nowhere"}, ("/nowhere", "no such folder")),
        ("demo", {"IFTAH_SEED_EVIDENCE": "berka"}, ("the Berka data set is missing",)),
    ],
)
def test_a_bad_setting_prints_one_line(
    iftah: CommandRunner, words: str, changes: dict[str, str], messages: tuple[str, ...]
) -> None:
    result = iftah(words, **changes)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert all(part in result.stderr for part in messages)


def test_load_refuses_bad_rows_accepts_the_rest_and_sets_its_status(
    demo_output: str, iftah: CommandRunner, tmp_path: Path
) -> None:
    file = tmp_path / "more.csv"
    head = "contributor,event_id,kind,subject,other,happened_at,amount,currency\n"
    row = "shop,{},payment.made,p-1,m-1,{},{},CNY\n"
    file.write_text(
        head + row.format("x1", "2025-12-01T00:00:00Z", 100) + row.format("x2", "9999-12-01T00:00:00Z", -100)
    )
    result = iftah("load", str(file))
    assert result.returncode == 1
    assert "1 accepted, 0 duplicates, 1 rejected" in result.stdout
    reject = json.loads((tmp_path / "more.csv.rejects.ndjson").read_text())
    assert reject["line"] == 3
    assert "future" in reject["reason"]
    assert "negative" in reject["reason"]
    second_result = iftah("load", str(file))
    assert "0 accepted, 1 duplicates, 1 rejected" in second_result.stdout


def test_check_is_silent_about_good_rules_and_shows_every_problem_of_bad_ones(
    iftah: CommandRunner, tmp_path: Path
) -> None:
    assert iftah("check").returncode == 0
    rules = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", rules)
    trust = rules / "trust.yaml"
    text = (
        trust.read_text()
        .replace("feature: credit.kept", "feature: credit.keptt")
        .replace("points: [0, 5]", "points: [0]")
    )
    trust.write_text(text)
    result = iftah("check", str(rules))
    assert result.returncode == 1
    assert re.search(
        r"rules/trust\.yaml:\d+:14 error R101 unknown name `credit\.keptt` \(did you mean `credit\.kept`",
        result.stdout,
    )
    assert re.search(r"rules/trust\.yaml:\d+:13 error R012 this list has 1 items", result.stdout)
    assert result.stdout.splitlines()[-1] == f"2 problems in {len(list(rules.rglob('*.yaml')))} files"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("  - id: kept\n", "\t- id: kept\n"), "R002"),
        (("kind: scorecard\n", "kind: scorecard\nkind: scorecard\n"), "R003"),
        (("credit.written_off_5y\n", "credit.no_such_thing\n"), "R101"),
    ],
)
def test_a_broken_rule_file_stops_the_demo_with_its_position(
    iftah: CommandRunner, tmp_path: Path, change: tuple[str, str], code: str
) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", rules)
    trust = rules / "trust.yaml"
    trust.write_text(trust.read_text().replace(*change, 1))
    result = iftah("demo", IFTAH_RULES=str(rules))
    assert result.returncode == 2
    assert re.search(rf"trust\.yaml:\d+:\d+ error {code} ", result.stderr)
    assert "Traceback" not in result.stderr


def test_tokens_are_issued_listed_and_revoked(demo_output: str, iftah: CommandRunner) -> None:
    secret = iftah("token", "issue", "--role", "merchant", "--party", "inn", "--name", "desk").stdout.strip()
    assert secret.startswith("iftah_")
    output = iftah("token", "list").stdout
    assert "desk" in output
    assert secret not in output
    assert iftah("token", "revoke", "desk").returncode == 0
    assert re.search(r"desk +revoked", iftah("token", "list").stdout)


def test_a_read_only_database_is_reported(
    demo_output: str, process: CommandRunner, env: dict[str, str], tmp_path: Path
) -> None:
    if os.geteuid() == 0:
        result = process("demo", IFTAH_DATABASE_URL="sqlite:////proc/iftah.db")  # root may write anywhere else
    else:
        shutil.copy(env["IFTAH_DATABASE_URL"].removeprefix("sqlite:///"), tmp_path / "iftah.db")
        (tmp_path / "iftah.db").chmod(0o400)
        tmp_path.chmod(0o500)
        result = process("demo", IFTAH_DATABASE_URL=f"sqlite:///{tmp_path / 'iftah.db'}")
        tmp_path.chmod(0o700)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "database" in result.stderr


@pytest.fixture(scope="module")
def demo_server(demo_output: str, env: dict[str, str]) -> Iterator[tuple[int, list[str]]]:
    """`iftah run`: its port, and its output before it began to serve."""
    port = free_port()
    process = subprocess.Popen(
        [str(IFTAH), "run"],
        env=env | {"IFTAH_PORT": str(port), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    assert process.stdout
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.lstrip().startswith("-d "):
            break
    yield port, lines
    process.kill()
    process.communicate(timeout=60)


def test_run_prints_a_request_that_works_when_pasted(demo_server: tuple[int, list[str]]) -> None:
    port, lines = demo_server
    start = next(n for n, line in enumerate(lines) if line.startswith("curl"))
    command = "\n".join(lines[start:])
    assert f"http://127.0.0.1:{port}/docs" in "\n".join(lines)
    wait_until_healthy(port)
    if shutil.which("curl"):
        output = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=True).stdout
        assert json.loads(output)["outcome"] == "ADMIT"
    token = re.search(r"Bearer (\S+)'", command)[1]  # type: ignore[index]
    body = re.search(r"-d '(.*)'", command)[1].encode()  # type: ignore[index]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/eligibility", body, headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status == 200


def test_a_port_in_use_is_reported_before_any_long_work(
    demo_server: tuple[int, list[str]], process: CommandRunner
) -> None:
    port, _ = demo_server
    wait_until_healthy(port)
    result = process("run", IFTAH_PORT=str(port))
    assert (result.returncode, result.stdout) == (2, "")
    assert f"127.0.0.1:{port}: cannot serve here: address already in use" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_the_server_stops_on_a_signal(
    demo_output: str, env: dict[str, str], tmp_path: Path, sign: signal.Signals
) -> None:
    port = free_port()
    process = fork_server.Process(tmp_path / "log", env | {"IFTAH_PORT": str(port)}, fork_server.command, "run")
    wait_until_healthy(port)
    os.kill(process.pid, sign)
    status = process.wait(30)
    process.kill()
    assert "Traceback" not in process.output()
    assert status in (0, 130, -sign)


def _admitted_person(demo_output: str) -> str:
    """The person that the demo admitted to a room."""
    return re.search(r"may (\S+) have `hotel`", demo_output)[1]  # type: ignore[index,return-value]
