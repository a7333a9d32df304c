"""`iftah init`: a folder to work in, for a program that is installed without its checkout."""

import shutil
from pathlib import Path
from typing import Annotated, Final

import typer

from api.cli.output import commands
from api.cli.plain_values import PlainValues
from api.cli.rules import schema_texts
from api.settings.source import FILE
from engine.errors import Rejected
from iftah.shipped_files import EXAMPLES, RULES, SCHEMAS

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


EXAMPLE_FILES: Final = {"rental": "hires.csv"}  # by example: its data
EXAMPLE_SETTINGS: Final = """\
# An empty database is filled from this file, by the map beside it.
seed_evidence = "import"
seed_file = "{file}"
seed_map = "map.yaml"
"""
EXAMPLE_PAGE: Final = """\
# {name}

A shop hires out bicycles, and asks which customers need no deposit. All of it is made up. Run every command of `iftah` in this
folder.

| file | what it says |
|---|---|
| `{file}` | the shop's own table, a line for each hire |
| `map.yaml` | which events each line of it becomes |
| `rules/evidence.yaml` | what can happen: payments, and bicycles that come back |
| `rules/features.yaml` | what we count of it: hires, late ones, damages, ratings |
| `rules/trust.yaml`, `rules/perks.yaml` | the score, and who may take which bicycle without a deposit |

| you want | do |
|---|---|
| to see it work | `iftah run` imports `{file}`, scores the customers and serves; it prints a request to paste |
| to see a customer's score | `iftah explain kaja-2` |
| to see where a number comes from | `iftah features rental.late_share --person kaja-2` |
| to see what a map makes of the file | `iftah import {file} --dry-run` |
| to count something else | add a feature to `rules/features.yaml`, then `iftah check`, `iftah build` and `iftah score` |
| to begin with your own table | `iftah import --guess yours.csv --map yours.yaml` |
"""


@app.command(cls=PlainValues)
def init(
    folder: Annotated[Path, typer.Argument(help="the folder to make; it must be new or empty")],
    example: Annotated[
        str | None, typer.Option(help="the rules and data of another line of business: rental, a shop of bicycles")
    ] = None,
) -> None:
    """Make a folder to work in: settings, the shipped rules with their cases, and a README. With --example, all of it is of
    another line of business, with a file of its data and the map to import it.
    """
    if example is not None and example not in EXAMPLE_FILES:
        hint = f"use {', '.join(EXAMPLE_FILES)}"
        raise Rejected(f"there is no example `{example[:40]}`", where="--example", hint=hint, code="bad_option")
    try:
        _fill(folder, example)
    except OSError as error:
        raise Rejected(f"cannot be made: {error.strerror}", where=str(folder), code="bad_folder") from None
    print(f"made {folder}: settings, rules and a README.md that says what to do")
    print(f"next: cd {folder} && iftah run")


def _fill(folder: Path, example: str | None) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise Rejected("is not empty", where=str(folder), hint="name a folder that is new", code="bad_folder")
    source = RULES if example is None else EXAMPLES / example / "rules"
    shutil.copytree(source, folder / "rules", dirs_exist_ok=True)
    shutil.copytree(SCHEMAS, folder / "schemas")
    for name in () if example is None else (EXAMPLE_FILES[example], "map.yaml"):
        shutil.copy(EXAMPLES / str(example) / name, folder / name)
    if example is not None:
        for kind, text in schema_texts(folder / "rules").items():  # with the names of these rules
            (folder / "schemas" / f"{kind}.json").write_text(text, encoding="utf-8")
    for path in (folder / "rules").rglob("*.yaml"):  # editors find the schema by the first line of a file
        text = path.read_text(encoding="utf-8").replace("=../docs/schemas/", "=../schemas/")
        text = text.replace("=../../docs/schemas/", "=../../schemas/").replace("=../../../schemas/", "=../schemas/")
        path.write_text(text, encoding="utf-8")
    name, page, settings = folder.resolve().name, PAGE, SETTINGS
    if example is not None:
        page, settings = EXAMPLE_PAGE, SETTINGS + EXAMPLE_SETTINGS.format(file=EXAMPLE_FILES[example])
    (folder / FILE).write_text(settings, encoding="utf-8")
    (folder / "README.md").write_text(
        page.format(name=name, file=EXAMPLE_FILES.get(example or "", "")), encoding="utf-8"
    )
