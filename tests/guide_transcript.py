"""The terminal of the guides: `python -m tests.guide_transcript` runs its commands and writes what they print into them anew.

A block of code with a file's name after its language is that file. A block of Python is run. Each `$ command` of a `console` block is run, and
its output stands below it. Lines with `…` are left as they are: the output differs from run to run.
"""

import contextlib
import re
import shlex
import tempfile
from itertools import zip_longest
from pathlib import Path
from typing import Final

from tests.api.terminal import environment, run_in_process
from tests.paths import ROOT

GUIDE: Final = ROOT / "docs" / "guides" / "own-data.md"
RELEASES: Final = ROOT / "docs" / "guides" / "two-operators.md"
RULES: Final = {GUIDE: str(ROOT / "rules"), RELEASES: "shop/rules"}  # the folder of rules of each guide
BLOCK: Final = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def with_output(text: str, folder: Path, rules: str = RULES[GUIDE]) -> str:
    """The guide with the output of each command as it is in `folder`."""
    database = f"sqlite:///{folder / 'iftah.db'}"
    env = environment(IFTAH_DATABASE_URL=database, IFTAH_RULES=rules, COLUMNS="80")

    def rewrite(block: re.Match[str]) -> str:
        language, name, body = block[1], block[2].strip(), block[3]
        if language == "console":
            return f"```console\n{transcript(body, env, folder)}```"
        if language == "python":
            with contextlib.chdir(folder):
                exec(body, {})  # the guide's own code
        elif name:
            (folder / name).write_text(body, encoding="utf-8")
        return block[0]

    return BLOCK.sub(rewrite, text)


def transcript(block: str, env: dict[str, str], folder: Path) -> str:
    """The commands of a block, each with its output; what is there stays where it differs by a `…` alone."""
    lines = list[str]()
    for command, old_output in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
        program, *args = shlex.split(command)
        if program == "cat":
            output = (folder / args[0]).read_text(encoding="utf-8")
        else:
            completed = run_in_process(args, env, folder)
            output = completed.stdout + completed.stderr
        lines += [
            f"$ {command}\n",
            *merge_lines(old_output.splitlines(keepends=True), output.splitlines(keepends=True)),
        ]
    return "".join(lines)


def merge_lines(old: list[str], new: list[str]) -> list[str]:
    """The new lines, where each keeps the old line that it matches."""
    return [a if matches(a, b) else b for a, b in zip_longest(old[: len(new)], new, fillvalue="")]


def matches(expected: str, output: str) -> bool:
    """Whether the output matches the expected line; `…` matches anything."""
    return re.fullmatch(".*".join(map(re.escape, expected.split("…"))), output) is not None


def main() -> None:
    """Write the guides anew."""
    for guide, rules in RULES.items():
        with tempfile.TemporaryDirectory() as folder:
            guide.write_text(with_output(guide.read_text(encoding="utf-8"), Path(folder), rules), encoding="utf-8")


if __name__ == "__main__":
    main()
