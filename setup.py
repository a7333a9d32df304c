"""Build what pyproject.toml cannot describe: durable-rules' C library, and the data files of the wheel.

durable-rules 2.0.28 exists as source alone, and calls a function that Python 3.13 no longer has: built as it is, it cannot be
imported there. So we build its library ourselves, from its pinned source with that call renamed, against Python's stable
interface: one wheel serves every Python from 3.11 on, and its installation needs no compiler.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
PIN = ROOT / "constraints-sdist.txt"
VERSION, SHA256 = re.findall(r"durable-rules==(\S+).*?sha256:([0-9a-f]{64})", PIN.read_text(encoding="utf-8"), re.S)[0]
ARCHIVE = f"durable_rules-{VERSION}.tar.gz"
BUILD = Path("build", "durable-rules")  # relative, as setuptools wants its sources
SOURCE = BUILD / f"durable_rules-{VERSION}"
PARTS = ("rulespy/rules", "rules/json", "rules/rete", "rules/state", "rules/events", "rules/regex")
INCLUDES = "#include <stdlib.h>\n#include <stdio.h>\n"  # which Python.h no longer includes
RESOURCES = {
    "rules": "rules",
    "docs/schemas": "schemas",
    "docs/examples": "examples",
}  # in the checkout, and under `iftah/resources` in the wheel


def archive() -> Path:
    """Durable-rules' source: our own source distribution holds it; for a checkout pip fetches it. Its hash is checked."""
    places = [ROOT / ARCHIVE, ROOT / BUILD / ARCHIVE]
    if not any(place.is_file() for place in places):
        fetch(ROOT / BUILD)
    path = next(place for place in places if place.is_file())
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{path} is not the file that {PIN.name} pins")
    return path


def fetch(folder: Path) -> None:
    """Let pip download the source. An isolated build hides pip from us, but not from a process of its own."""
    isolated = find_spec("pip") is None
    env = {name: value for name, value in os.environ.items() if not (isolated and name == "PYTHONPATH")}
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "durable-rules"]
    command += [] if isolated else ["--no-build-isolation"]
    try:
        subprocess.run([*command, "--require-hashes", "-r", PIN, "-d", folder], check=True, env=env)
    except subprocess.CalledProcessError:
        raise SystemExit(f"cannot download {ARCHIVE}: put it beside setup.py, and build again") from None


def unpack() -> None:
    """The source under `build/`, with the call renamed: `PyObject_CallObject` is the same function in every Python 3."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    with tarfile.open(archive()) as tar:
        tar.extractall(BUILD)  # we know its hash; Python 3.11.2 has no `filter`
    module = SOURCE / "src" / "rulespy" / "rules.c"
    text = module.read_text(encoding="utf-8").replace("PyEval_CallObject(", "PyObject_CallObject(")
    module.write_text(INCLUDES + text, encoding="utf-8")


class BuildEngine(build_ext):
    """Compile durable-rules' library from its patched source."""

    def run(self) -> None:
        unpack()
        super().run()
        if not self.inplace:
            licence = Path(self.build_lib, "iftah", "resources", "LICENSE.durable-rules")
            licence.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(SOURCE / "LICENSE", licence)

    def get_source_files(self) -> list[str]:
        """None: a source distribution holds the archive instead."""
        return []


class BuildModules(build_py):
    """Copy the modules, and the rules and schemas into `iftah/resources`, where an installed program finds them."""

    def run(self) -> None:
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)  # a module that was renamed since is there still
        super().run()
        if not self.editable_mode:
            for folder, name in RESOURCES.items():
                place = Path(self.build_lib, "iftah", "resources", name)
                shutil.copytree(ROOT / folder, place, dirs_exist_ok=True)


class SourceDistribution(sdist):
    """Add what a build reads, and durable-rules' source, so that a build needs no network."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        for folder in RESOURCES:
            shutil.copytree(ROOT / folder, Path(base_dir, folder))
        shutil.copyfile(PIN, Path(base_dir, PIN.name))
        shutil.copyfile(archive(), Path(base_dir, ARCHIVE))


setup(
    ext_modules=[
        Extension(
            "durable_rules_engine",
            sources=[str(SOURCE / "src" / f"{part}.c") for part in PARTS],
            include_dirs=[str(SOURCE / "src" / "rules")],
            define_macros=[("Py_LIMITED_API", "0x030B0000"), ("_GNU_SOURCE", None)],
            extra_compile_args=["-std=c99", "-w"],
            py_limited_api=True,
        )
    ],
    cmdclass={"build_ext": BuildEngine, "build_py": BuildModules, "sdist": SourceDistribution},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
