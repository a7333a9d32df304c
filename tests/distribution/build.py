"""Build the wheel and the source distribution as `make dist` does, with the pinned tools.

We build from copies of the sources, since tests run in several processes and builds write beside their sources. The compiler does not
optimize, which takes half of the time: `make dist-test` tries the library as we publish it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SDIST: Final = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"


READ: Final = (
    "setup.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "constraints-sdist.txt",
    "rules",
    "docs/schemas",
    "docs/examples",
)
PACKAGES: Final = ("iftah", "engine", "graph", "api")


def wheel(folder: Path) -> Path:
    """The wheel, built in a new folder."""
    tree = _copy(folder)
    _run([sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "-w", folder, "."], tree)
    return next(folder.glob("iftah-*.whl"))


def source_distribution(folder: Path) -> Path:
    """The source distribution, with the source of durable-rules in it."""
    _run([sys.executable, "-c", SDIST, folder], _copy(folder))
    return next(folder.glob("iftah-*.tar.gz"))


def _copy(folder: Path) -> Path:
    tree = folder / "tree"
    for name in (*READ, *PACKAGES):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            tree.mkdir(exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
    for archive in (ROOT / "build" / "durable-rules").glob("*.tar.gz"):  # `make env` downloads it
        shutil.copyfile(archive, tree / archive.name)
    return tree


def _run(command: list[str | Path], tree: Path) -> None:
    env = os.environ | {"CFLAGS": "-O0"}
    completed = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert completed.returncode == 0, completed.stdout + completed.stderr
