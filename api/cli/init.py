"""`iftah init`: a folder to work in, for a program that is installed without its checkout."""

import shutil
from pathlib import Path
from typing import Annotated, Final

import typer

from api.cli.output import commands
from api.cli.plain_values import PlainValues
from api.settings.resources import RULES, SCHEMAS
from api.settings.source import FILE
from engine.errors import Rejected

app = commands()

SETTINGS: Final = """\
# The settings of this folder. `iftah settings` lists all of them, each with its value and where it comes from.
# A variable of the environment wins: IFTAH_PORT=9000 iftah run
host = "127.0.0.1"
port = 8000
# Unless you name a database, it is the file var/iftah.db in this folder.
# database_url = "postgresql://iftah@127.0.0.1:5432/iftah"
"""
PAGE: Final = """\
# {name}

This folder belongs to you. Run every command of `iftah` in it: `iftah` reads `iftah.toml` here, decides by the rules in
`rules/`, and keeps its database in `var/`.

| you want | do |
|---|---|
| to see it work | `iftah run` fills the database with a synthetic town, scores everyone and serves; it prints a request to paste |
| to read what decides | open `rules/trust.yaml` (the score) and `rules/perks.yaml` (who gets which perk) |
| to change it | edit a file in `rules/`, then `iftah fmt` and `iftah check`; a running server takes the change over |
| to use your own events | `iftah load events.csv && iftah build && iftah score && iftah serve`, with an empty `var/` |
| to let somebody ask | `iftah token issue --role merchant --party inn` |
| to see a person's score | `iftah explain PERSON` |
| to change a setting | edit `iftah.toml`; `iftah settings` lists all |

Each file of `rules/` has examples beside it, in `.cases.yaml`; `iftah test` runs them. `schemas/` lets your editor complete
and check the files. `iftah --help` lists all commands. Keep `iftah.toml`, `rules/` and `schemas/` under version control,
and leave out `var/`.
"""


@app.command(cls=PlainValues)
def init(folder: Annotated[Path, typer.Argument(help="the folder to make; it must be new or empty")]) -> None:
    """Make a folder to work in: settings, the shipped rules with their cases, and a README."""
    try:
        _fill(folder)
    except OSError as error:
        raise Rejected(f"cannot be made: {error.strerror}", where=str(folder), code="bad_folder") from None
    print(f"made {folder}: settings, rules and a README.md that says what to do")
    print(f"next: cd {folder} && iftah run")


def _fill(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise Rejected("is not empty", where=str(folder), hint="name a folder that is new", code="bad_folder")
    shutil.copytree(RULES, folder / "rules", dirs_exist_ok=True)
    shutil.copytree(SCHEMAS, folder / "schemas")
    for path in (folder / "rules").rglob("*.yaml"):  # editors find the schema by the first line of a file
        text = path.read_text(encoding="utf-8").replace("=../docs/schemas/", "=../schemas/")
        path.write_text(text.replace("=../../docs/schemas/", "=../../schemas/"), encoding="utf-8")
    (folder / FILE).write_text(SETTINGS, encoding="utf-8")
    (folder / "README.md").write_text(PAGE.format(name=folder.resolve().name), encoding="utf-8")
