"""The mutation tool on a small module: its changes, its choice of tests, and an untouched checkout."""

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.effort import by_effort, only_in_full
from tests.mutants.__main__ import EQUIVALENT, sample
from tests.mutants.modules import MODULES
from tests.mutants.mutations import mutations
from tests.mutants.running import ROOT, LineCoverage, copy_of_the_tree, outcome

SOURCE = '''
LIMIT: int = 3

def kept(rows: list[int], most: int = 5) -> bool:
    """Not 7."""
    if not rows and most <= LIMIT:
        raise ValueError(f"{most} at {LIMIT + 1}")
    rows.append(1)
    chosen = select(rows).where(rows > 0, most).limit(most)
    return "x" + chosen in ("a", "b") or any(
        row is None
        for row in rows
        if row
    )
'''


def test_a_module_has_these_mutations():
    """Messages, annotations and docstrings stay. We do not mutate `+` between texts."""
    changes = [mutation.key.partition(": ")[2] for mutation in mutations("m.py", SOURCE.encode())]
    assert changes == [
        "LIMIT: int = 3 -> LIMIT: int = 4",
        "def kept(rows: list[int], most: int = 5) -> bool: -> def kept(rows: list[int], most: int = 6) -> bool:",
        "if not rows and most <= LIMIT: -> if rows and most <= LIMIT:",
        "if not rows and most <= LIMIT: -> if False:",
        "if not rows and most <= LIMIT: -> if True:",
        "if not rows and most <= LIMIT: -> if not rows or most <= LIMIT:",
        "if not rows and most <= LIMIT: -> if not rows and most < LIMIT:",
        'raise ValueError(f"{most} at {LIMIT + 1}") -> pass',
        "rows.append(1) -> pass",
        "rows.append(1) -> rows.append(2)",
        "chosen = select(rows).where(rows > 0, most).limit(most) -> chosen = select(rows).limit(most)",
        "chosen = select(rows).where(rows > 0, most).limit(most) -> chosen = select(rows).where(most).limit(most)",
        "chosen = select(rows).where(rows > 0, most).limit(most) -> chosen = select(rows).where(rows >= 0, most).limit(most)",
        "chosen = select(rows).where(rows > 0, most).limit(most) -> chosen = select(rows).where(rows > 1, most).limit(most)",
        "chosen = select(rows).where(rows > 0, most).limit(most) -> chosen = select(rows).where(rows > 0).limit(most)",
        "chosen = select(rows).where(rows > 0, most).limit(most) -> chosen = select(rows).where(rows > 0, most)",
        'return "x" + chosen in ("a", "b") or any( -> return "x" + chosen not in ("a", "b") or any(',
        'return "x" + chosen in ("a", "b") or any( -> return "x" + chosen in ("b") or any(',
        'return "x" + chosen in ("a", "b") or any( -> return "x" + chosen in ("a") or any(',
        'return "x" + chosen in ("a", "b") or any( -> return "x" + chosen in ("a", "b") and any(',
        'return "x" + chosen in ("a", "b") or any( -> return "x" + chosen in ("a", "b") or all(',
        "row is None -> row is not None",
        "if row -> if True",
    ]


def test_a_mutation_replaces_the_right_bytes_after_any_characters():
    source = "text = 'Žofie 李雷'; n = 1\n".encode()
    (mutation,) = mutations("m.py", source)
    assert mutation.apply(source).decode() == "text = 'Žofie 李雷'; n = 2\n"


def test_the_tests_that_run_a_statement_are_selected_quickest_first():
    first, *_, last = mutations("m.py", SOURCE.encode())
    coverage = LineCoverage(
        {"m.py": {"10": ["test_a.py::one", "test_b.py"], "8": ["test_a.py::two"], "9": ["", "test_a.py::one"]}},
        {"test_a.py::one": 2.0, "test_a.py::two": 1.0, "test_b.py::one": 0.5, "test_c.py::one": 0.1},
    )
    files = ["test_a.py", "test_b.py"]
    assert list(last.lines) == [10, 11, 12, 13, 14]
    assert coverage.tests_of("m.py", last, files) == ["test_b.py::one", "test_a.py::one"]
    (append_mutation,) = [m for m in mutations("m.py", SOURCE.encode()) if m.key.endswith("rows.append(1) -> pass")]
    assert coverage.tests_of("m.py", append_mutation, files) == ["test_a.py::two"]
    limit_mutation = next(m for m in mutations("m.py", SOURCE.encode()) if m.key.endswith(".where(rows > 0, most)"))
    assert coverage.tests_of("m.py", limit_mutation, files) == ["test_b.py::one", "test_a.py::two", "test_a.py::one"]
    assert coverage.tests_of("m.py", first, files) == ["test_b.py::one", "test_a.py::two", "test_a.py::one"]


@only_in_full
def test_a_sample_is_determined_by_its_seed_and_covers_every_module():
    count = by_effort(100, 500)
    keys = [mutant.mutation.key for mutant in sample(count, 12, [])]
    assert keys == [mutant.mutation.key for mutant in sample(count, 12, [])]
    assert keys != [mutant.mutation.key for mutant in sample(count, 13, [])]
    assert len(set(keys)) == len(keys) >= count
    assert {key.partition("::")[0] for key in keys} == set(MODULES)
    caps_keys = [mutant.mutation.key for mutant in sample(count, 12, ["engine/decide/caps"])]
    assert caps_keys == [key for key in keys if key.startswith("engine/decide/caps.py")]


def test_every_listed_file_exists_and_every_entry_has_a_reason():
    assert [path for path in MODULES if not (ROOT / path).is_file()] == []
    assert [name for names in MODULES.values() for name in names if not list(ROOT.glob(name))] == []
    reasons = YAML(typ="safe").load(EQUIVALENT.read_text()) or {}
    assert [key for key, reason in reasons.items() if not str(reason).strip()] == []


def test_a_mutation_is_judged_in_a_copy(monkeypatch: pytest.MonkeyPatch):
    """A test of the copy sees the mutated module, and the checkout is as it was."""
    target = ROOT / "engine" / "decide" / "caps.py"
    before = target.read_bytes()
    mutation = next(m for m in mutations("engine/decide/caps.py", before) if "max(0, " in m.key and "min(0, " in m.key)
    path_and_mutation = "engine/decide/caps.py", mutation
    with copy_of_the_tree() as copy:
        Path(copy, "test_it.py").write_text(
            "import sys\nfrom pathlib import Path\nimport engine.decide.caps\n\n"
            "def test_the_copy():\n    assert engine.decide.caps.__file__ == str(Path(__file__).parent / 'engine' / 'decide' / 'caps.py')\n\n"
            "def test_it():\n    assert 'max(0, ' in Path(engine.decide.caps.__file__).read_text()\n"
        )
        assert outcome(copy, *path_and_mutation, ["test_it.py::test_the_copy"], 60) == "survived"
        assert outcome(copy, *path_and_mutation, ["test_it.py::test_the_copy", "test_it.py::test_it"], 60) == "killed"
        assert Path(copy, "engine/decide/caps.py").read_bytes() == before
        Path(copy, "test_it.py").write_text("import time\n\ndef test_it():\n    time.sleep(60)\n")
        assert outcome(copy, *path_and_mutation, ["test_it.py::test_it"], 1) == "timeout"
    assert target.read_bytes() == before
    assert not copy.exists()


def test_the_list_option_prints_known_results_and_runs_no_test(tmp_path: Path):
    command = [sys.executable, "-m", "tests.mutants", "--list", "--module", "engine/decide/caps"]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert completed.stderr == ""
    assert "engine/decide/caps.py" in completed.stdout
    assert "equivalent" in completed.stdout
