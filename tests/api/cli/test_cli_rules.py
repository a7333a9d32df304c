"""The commands for authors of rules: their output, their files, and their exit statuses."""

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from api.store import replace
from engine.errors import Rejected
from engine.lang.syntax.grammar import KINDS
from tests.api.cli.commands import CommandRunner, command_runner, edit
from tests.paths import RULES

FILE_COUNT = len(list((RULES).rglob("*.yaml")))


@pytest.fixture
def iftah(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandRunner:
    return command_runner(monkeypatch, capsys)


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped rules, with its parent as the working folder."""
    shutil.copytree(RULES, tmp_path / "rules")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IFTAH_RULES", "rules")
    return Path("rules")


@pytest.fixture
def rules_without_cases(rules: Path) -> Path:
    """The same without cases, except those of the reasons: reading and running the others takes most of the time."""
    for path in rules.glob("*.cases.yaml"):
        if path.name != "reasons.cases.yaml":
            path.unlink()
    return rules


def count_files(folder: Path) -> int:
    return len(list(folder.rglob("*.yaml")))


def test_rules_without_a_problem_pass(rules: Path, iftah: CommandRunner) -> None:
    result = iftah("check")
    assert result.status == 0
    assert re.fullmatch(rf"{FILE_COUNT} files, no problem; release [0-9a-f]{{12}}\n", result.out)


def test_rules_without_a_problem_give_empty_output_in_other_formats(
    rules_without_cases: Path, iftah: CommandRunner
) -> None:
    assert json.loads(iftah("check", "--format", "json").out) == []
    assert json.loads(iftah("check", "--format", "sarif").out)["runs"][0]["results"] == []
    assert iftah("check", "--format", "github").out.strip() == ""


def test_every_problem_is_shown_with_its_line_and_the_place_underlined(rules: Path, iftah: CommandRunner) -> None:
    edit(rules / "trust.yaml", "feature: credit.kept", "feature: credit.keptt")
    edit(rules / "trust.yaml", "cuts: [1, 2, 4]", "cuts: [1, 2]")
    result = iftah("check", rules)
    assert result.status == 1
    lines = result.out.splitlines()
    assert re.fullmatch(
        r"rules/trust\.yaml:(\d+):14 error R101 unknown name `credit\.keptt` \(did you mean .*\)", lines[0]
    )
    number = int(lines[0].split(":")[1])
    assert lines[1] == f"{number:>6} |     feature: credit.keptt"
    assert lines[2] == "       |              ^^^^^^^^^^^^"
    assert re.match(r"rules/trust\.yaml:\d+:14 error R202 ", lines[3])
    assert lines[-1] == f"2 problems in {FILE_COUNT} files"


def test_checking_one_file_checks_its_whole_folder(rules: Path, iftah: CommandRunner) -> None:
    edit(rules / "trust.yaml", "feature: credit.kept", "feature: credit.keptt")
    assert iftah("check", rules / "policy.yaml", rules / "perks.yaml").out == iftah("check", rules).out


def test_paths_are_relative_to_the_working_folder(
    rules: Path, iftah: CommandRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(rules / "trust.yaml", "feature: credit.kept", "feature: credit.keptt")
    monkeypatch.chdir(rules)
    assert iftah("check", ".").out.startswith("trust.yaml:")
    assert iftah("check", "trust.yaml").out.startswith("trust.yaml:")
    (Path.cwd() / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    path = iftah("check", "..").out.partition(":")[0]
    assert Path(path).is_absolute()
    assert Path(path).samefile("../trust.yaml")


def test_a_failing_case_is_a_finding_like_any_other(rules_without_cases: Path, iftah: CommandRunner) -> None:
    edit(rules_without_cases / "reasons.cases.yaml", "expect: {reasons: []}", "expect: {reasons: [many_open]}")
    result = iftah("check")
    assert result.status == 1
    assert re.match(
        r"rules/reasons\.cases\.yaml:\d+:5 error case nothing lost gives no reason: reasons should be \[many_open\], and is \[\]\n"
        r" +\d+ \|   - name: nothing lost gives no reason\n +\|     \^",
        result.out,
    )
    (finding,) = json.loads(iftah("check", "--format", "json").out)
    assert (finding["file"], finding["code"], finding["column"]) == ("rules/reasons.cases.yaml", "case", 5)
    assert "title=case::nothing lost" in iftah("check", "--format", "github").out


def test_a_finding_about_a_missing_file_shows_no_line(rules: Path, iftah: CommandRunner) -> None:
    (rules / "policy.yaml").unlink()
    result = iftah("check")
    assert result.status == 1
    assert result.out.splitlines()[0].startswith(
        "rules/policy.yaml:1:1 error R014 there is no file of the kind `policy`"
    )
    assert result.out.splitlines()[1] == f"1 problem in {FILE_COUNT - 1} files"


@pytest.mark.parametrize(
    "words",
    [
        ("check", "nowhere"),
        ("check", "rules/none.yaml"),
        ("check", "--format", "html"),
        ("fmt", "nowhere"),
        ("test", "nowhere"),
        ("test", "--junit", "nowhere/report.xml"),
        ("schema", "perk"),
        ("schema", "--out", "rules/trust.yaml"),
    ],
    ids=" ".join,
)
def test_an_impossible_command_exits_with_two_and_a_message(
    rules: Path, iftah: CommandRunner, words: tuple[str, ...]
) -> None:
    result = iftah(*words)
    assert result.status == 2
    assert result.err
    assert "went wrong inside" not in result.err


def test_fmt_check_lists_the_files_it_would_change_and_writes_nothing(
    rules_without_cases: Path, iftah: CommandRunner
) -> None:
    assert iftah("fmt", "--check").status == 0
    edit(rules_without_cases / "trust.yaml", "{name: poor, from: 350}", "{from: 350,   name: poor}")
    before = (rules_without_cases / "trust.yaml").read_bytes()
    result = iftah("fmt", "--check")
    assert (result.status, result.out.splitlines()[0]) == (1, "rules/trust.yaml would be reformatted")
    assert result.out.splitlines()[-1] == f"1 file to be reformatted, {count_files(rules_without_cases) - 1} unchanged"
    assert (rules_without_cases / "trust.yaml").read_bytes() == before


def test_fmt_rewrites_files_in_place(rules_without_cases: Path, iftah: CommandRunner) -> None:
    shipped = (rules_without_cases / "trust.yaml").read_bytes()
    edit(rules_without_cases / "trust.yaml", "{name: poor, from: 350}", "{from: 350,   name: poor}")
    (rules_without_cases / "trust.yaml").chmod(0o640)
    result = iftah("fmt")
    assert (result.status, result.out.splitlines()[0]) == (0, "rules/trust.yaml is reformatted")
    assert (rules_without_cases / "trust.yaml").read_bytes() == shipped
    assert (rules_without_cases / "trust.yaml").stat().st_mode & 0o777 == 0o640
    assert {p.suffix for p in rules_without_cases.rglob("*.*")} == {".yaml"}, "nothing is left behind"
    assert iftah("fmt").out == f"0 files reformatted, {count_files(rules_without_cases)} unchanged\n"


def test_fmt_removes_byte_order_marks_and_windows_line_ends(rules: Path, iftah: CommandRunner) -> None:
    text = (rules / "policy.yaml").read_text(encoding="utf-8")
    (rules / "policy.yaml").write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode())
    assert iftah("fmt", rules / "policy.yaml", rules / "perks.yaml").out.endswith("1 file reformatted, 1 unchanged\n")
    assert (rules / "policy.yaml").read_bytes() == text.encode()


def test_fmt_skips_a_file_with_a_problem_and_formats_the_others(
    rules_without_cases: Path, iftah: CommandRunner
) -> None:
    edit(rules_without_cases / "trust.yaml", "base: 480", "bass: 480")
    edit(rules_without_cases / "perks.yaml", "score >= 700", "(score>=700)")
    (rules_without_cases / "reasons.yaml").write_bytes(b"kind: reasons\nreasons: {a: {en: \xff}}\n")
    before = (rules_without_cases / "trust.yaml").read_bytes()
    result = iftah("fmt")
    assert result.status == 1
    assert "rules/perks.yaml is reformatted" in result.out
    assert re.search(r"rules/trust\.yaml:\d+:36 error R010 unknown key `bass`", result.out)
    assert "rules/reasons.yaml:1:1 error R008 byte 32 is not UTF-8" in result.out
    assert (rules_without_cases / "trust.yaml").read_bytes() == before
    assert "score >= 700, waive" in (rules_without_cases / "perks.yaml").read_text(encoding="utf-8")


def test_fmt_follows_a_symbolic_link_and_keeps_it(rules_without_cases: Path, iftah: CommandRunner) -> None:
    (rules_without_cases / "policy.yaml").rename("policy-elsewhere.yaml")
    (rules_without_cases / "policy.yaml").symlink_to(Path("policy-elsewhere.yaml").absolute())
    edit(rules_without_cases / "policy.yaml", "kind: policy", "kind:   policy")
    assert iftah("fmt").status == 0
    assert (rules_without_cases / "policy.yaml").is_symlink()
    assert "kind: policy\n" in Path("policy-elsewhere.yaml").read_text(encoding="utf-8")


def test_an_unwritable_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="cannot be written"):
        replace.write(tmp_path / "none" / "a.yaml", "a")


def test_the_cases_are_counted_by_file(rules: Path, iftah: CommandRunner) -> None:
    result = iftah("test")
    assert result.status == 0
    assert re.findall(r"^rules/(\w+)\.cases\.yaml: (\d+) of \2 pass$", result.out, re.M) == [
        ("features", "13"),
        ("orders", "30"),
        ("perks", "60"),
        ("policy", "8"),
        ("reasons", "6"),
        ("trust", "22"),
        ("watch", "6"),
    ]


def test_a_failing_case_shows_the_expected_and_the_actual_value(rules: Path, iftah: CommandRunner) -> None:
    edit(
        rules / "perks.cases.yaml",
        "{outcome: ADMIT, waived: 1000 CNY, met: [hotel.600]",
        "{outcome: DECLINE, met: [hotel.700]",
    )
    result = iftah("test", "--junit", "report.xml")
    assert result.status == 1
    lines = result.out.splitlines()
    lines = lines[lines.index("rules/perks.cases.yaml: 59 of 60 pass") + 1 :]
    assert re.fullmatch(r"  rules/perks\.cases\.yaml:\d+:5 a room at 600", lines[0])
    assert lines[1:3] == [
        "    outcome should be DECLINE, and is ADMIT",
        "    `hotel.700` should be met, and is not met",
    ]
    assert "      `hotel.700` is not met: score >= 700 not met (600, +100 to turn)" in lines
    report = ElementTree.parse("report.xml").getroot()
    assert (report.tag, report.attrib["tests"], report.attrib["failures"]) == ("testsuites", "145", "1")
    suites = {s.attrib["name"]: (s.attrib["tests"], s.attrib["failures"]) for s in report.iter("testsuite")}
    assert suites["rules/perks.cases.yaml"] == ("60", "1")
    (case,) = [c for c in report.iter("testcase") if c.find("failure") is not None]
    assert case.attrib["name"] == "a room at 600"
    assert "and is ADMIT" in str(case.find("failure").attrib["message"])  # type: ignore[union-attr]


def test_no_case_runs_when_the_rules_have_problems(rules: Path, iftah: CommandRunner) -> None:
    edit(rules / "trust.yaml", "feature: credit.kept", "feature: credit.keptt")
    result = iftah("test", rules, "--junit", "report.xml")
    assert result.status == 2
    assert "error R101" in result.out
    assert result.out.splitlines()[-1] == f"1 problem in {FILE_COUNT} files: no case was run"
    assert not Path("report.xml").exists()


def test_schema_prints_and_writes_only_on_request(rules: Path, iftah: CommandRunner) -> None:
    before = sorted(Path.cwd().rglob("*"))
    schema_text = iftah("schema", "perks").out
    assert json.loads(schema_text)["properties"]["kind"] == {
        "const": "perks",
        "description": "The kind of this rule file",
    }
    schemas = json.loads(iftah("schema").out)
    assert [*schemas] == [*KINDS, "map"]
    assert schemas["perks"] == json.loads(schema_text)
    assert sorted(Path.cwd().rglob("*")) == before
    assert "docs/schemas/perks.json" in iftah("schema", "--out", "docs/schemas").out.splitlines()
    assert Path("docs/schemas/perks.json").read_text(encoding="utf-8") == schema_text
    assert iftah("schema", "perks", "--out", "here").out == "here/perks.json\n"
