"""Run tests on a copy of the tree, so that a mutated module never touches the checkout."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutants.mutations import Mutation
from tests.paths import ROOT

IMPORT_CONTEXT: Final = ""  # instead of a test, for lines that an import runs
COVERAGE_CACHE: Final = ROOT / "var" / "mutants-covered"
_processes: set[subprocess.Popen[bytes]] = set()
_NO_TESTS, _NOT_FOUND = 5, 4  # pytest's exit codes
_QUIET: Final = (
    "-q",
    "-x",
    "--no-header",
    "--tb=line",
    "-p",
    "no:cacheprovider",
    "--hypothesis-seed=0",
    "-o",
    "addopts=",
)
# The other plugins only cost time here.
_PLUGINS: Final = ("tests.mutants.quickly", "_hypothesis_pytestplugin", "anyio.pytest_plugin", "pytest_timeout")


@dataclass(frozen=True)
class LineCoverage:
    """For each module the tests that run each line, and for each test its seconds."""

    lines: dict[str, dict[str, list[str]]]
    seconds: dict[str, float]

    def tests_of(self, path: str, mutation: Mutation, files: Collection[str]) -> list[str]:
        """The tests that run the mutated statement, fastest first; all tests of the module if an import runs it."""
        of_module = [test for test in self.seconds if test.partition("::")[0] in files]
        if len(mutation.lines):
            lines = self.lines.get(path, {})
            contexts = {context for line in mutation.lines for context in lines.get(str(line), ())}
            if IMPORT_CONTEXT not in contexts:
                of_module = [test for test in of_module if test in contexts or test.partition("::")[0] in contexts]
        return sorted(of_module, key=self.seconds.__getitem__)


@contextlib.contextmanager
def copy_of_the_tree() -> Iterator[Path]:
    """A folder with the current files that git tracks or would add."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    with tempfile.TemporaryDirectory(prefix="iftah-mutants-", ignore_cleanup_errors=True) as folder:
        for name in filter(None, listing.stdout.decode().split("\0")):
            if (source := ROOT / name).is_file():
                target = Path(folder, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
        yield Path(folder)


def _environment(copy: Path) -> dict[str, str]:
    data_folder = ROOT.parent / "shared" / "data"
    return os.environ | {
        "PYTHONPATH": str(copy),  # before the installed checkout
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "POLARS_MAX_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "IFTAH_DATASETS_DIR": os.environ.get("IFTAH_DATASETS_DIR", str(data_folder)),
    }


def _plugins() -> list[str]:
    import importlib.util

    return [word for name in _PLUGINS if importlib.util.find_spec(name) for word in ("-p", name)]


def _pytest(copy: Path, arguments: list[str], seconds: float, environment: dict[str, str]) -> int | None:
    """The exit code, or None if it did not end in time."""
    scratch = copy / ".scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    command = [sys.executable, "-m", "pytest", *_plugins(), f"--basetemp={scratch}", *arguments]
    with (copy / ".output").open("w") as output:
        process = subprocess.Popen(
            command, cwd=copy, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        _processes.add(process)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            return None
        finally:
            _processes.discard(process)


def end_all() -> None:
    """End the tests that run in other threads."""
    for process in tuple(_processes):
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it: first gently, so that fixtures drop their databases, then for certain, with all its children."""
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def measure_coverage(copy: Path, file: str, targets: Iterable[str], seconds: float) -> LineCoverage:
    """Run an unmodified test file and record the tests that run each line. Failing or skipped tests can notice nothing.

    We keep the result while the file and the targets are the same, unless a test failed, which we report. Raises RuntimeError if the
    tests do not run at all.
    """
    cached = COVERAGE_CACHE / f"{digest(file, *targets)}.json"
    if not cached.exists():
        result = copy / ".covered.json"
        result.unlink(missing_ok=True)
        environment = _environment(copy) | {
            "MUTANTS_TARGETS": os.pathsep.join(targets),
            "MUTANTS_COVERED": str(result),
        }
        arguments = [word for word in _QUIET if word != "-x"]
        code = _pytest(copy, [*arguments, "-p", "tests.mutants.covering", file], seconds, environment)
        if code not in (0, 1) or not result.exists():
            raise RuntimeError(f"{file} does not run (exit code {code}): {(copy / '.output').read_text()[-2000:]}")
        if code:
            print(f"some tests of {file} fail as they are: {(copy / '.output').read_text()[-600:]}", flush=True)
            return LineCoverage(**json.loads(result.read_text()))
        COVERAGE_CACHE.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(result, cached.with_suffix(".new"))
        cached.with_suffix(".new").replace(cached)
    return LineCoverage(**json.loads(cached.read_text()))


def outcome(copy: Path, path: str, mutation: Mutation, tests: list[str], seconds: float) -> str:
    """`killed`, `timeout` or `survived`: the tests' result for the module with the mutation."""
    target = copy / path
    source = target.read_bytes()
    test_list = copy / ".tests"
    test_list.write_text("\n".join(tests))
    target.write_bytes(mutation.apply(source))
    try:
        code = _pytest(copy, [*_QUIET, f"@{test_list}"], seconds, _environment(copy))
        if code in (_NOT_FOUND, _NO_TESTS):  # the mutation changes the names of tests: run all of their files
            files = sorted({test.partition("::")[0] for test in tests})
            code = _pytest(copy, [*_QUIET, *files], seconds, _environment(copy))
    finally:
        target.write_bytes(source)
    return "timeout" if code is None else "survived" if code == 0 else "killed"


def digest(*files: str) -> str:
    """The hash of the content of files, by which a result stays valid."""
    content = hashlib.sha256()
    for name in files:
        content.update((ROOT / name).read_bytes())
    return content.hexdigest()[:16]
