"""Write the files of pinned packages anew, by `uv`: `python -m tests.constraints`.

`constraints.txt` pins the run-time packages: an image, or an environment of its own, needs no more. `constraints-dev.txt` pins the
packages that development adds, and holds no package of the other file. `constraints-spark.txt` pins what Spark adds to both, for those
who have Java. `constraints-docs.txt` pins those of `make docs`, which has an environment of its own. We keep a pin where it still fits; remove a line to take the newest version.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
RUN, DEV, DOCS = ROOT / "constraints.txt", ROOT / "constraints-dev.txt", ROOT / "constraints-docs.txt"
SPARK: Final = ROOT / "constraints-spark.txt"
COMPILE: Final = ("uv", "pip", "compile", "--quiet", "--universal", "--fork-strategy", "fewest", "--generate-hashes")
COMPILE_ALSO: Final = ("--no-header", "--no-annotate", "--python-version", "3.11")
PROJECT: Final = ROOT / "pyproject.toml"


def pins_by_name(text: str) -> dict[str, str]:
    """Each package's name, and its lines; a package that differs by platform has several pins under one name."""
    pins = dict[str, str]()
    for block in re.findall(r"^\S[^\n]*\n(?:    [^\n]+\n)*", text, re.M):
        name = re.split(r"[= ;\\]", block, maxsplit=1)[0]
        pins[name] = pins.get(name, "") + block
    return pins


def resolve(pins: str, source: Path, *options: str) -> str:
    """The packages that `uv` resolves for a project or a list of requirements, with `pins` wherever they fit."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "constraints.txt")
        out.write_text(pins, encoding="utf-8")
        subprocess.run([*COMPILE, *COMPILE_ALSO, source, *options, "-o", out], cwd=ROOT, check=True)
        return out.read_text(encoding="utf-8")


def resolve_docs() -> str:
    """The packages of the extra `docs` alone, without those of the project."""
    requirements = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]["docs"]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "docs.in")
        source.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        return resolve(DOCS.read_text(encoding="utf-8") if DOCS.exists() else "", source)


def main() -> None:
    """Write the four files. The run-time pins bind those of development and of Spark, so that one environment can hold all three."""
    pins = RUN.read_text(encoding="utf-8") + (DEV.read_text(encoding="utf-8") if DEV.exists() else "")
    run = resolve(pins, PROJECT)
    RUN.write_text(run, encoding="utf-8")
    both = pins_by_name(resolve(pins, PROJECT, "--extra", "dev", "--constraint", str(RUN)))
    DEV.write_text("".join(lines for name, lines in both.items() if name not in pins_by_name(run)), encoding="utf-8")
    former = pins + (SPARK.read_text(encoding="utf-8") if SPARK.exists() else "")
    bounds = ("--constraint", str(RUN), "--constraint", str(DEV))
    whole = pins_by_name(resolve(former, PROJECT, "--extra", "dev", "--extra", "spark", *bounds))
    SPARK.write_text("".join(lines for name, lines in whole.items() if name not in both), encoding="utf-8")
    DOCS.write_text(resolve_docs(), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
