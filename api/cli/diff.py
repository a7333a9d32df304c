"""`iftah diff`: what changes between two sets of rules, and whom it moves."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from api.cli.output import commands
from api.releases import releases, rules_folder
from api.render import swap_tables
from api.settings.settings import settings
from api.store import clock, replace
from api.store.database import Database, open_database
from api.supervision.swap_decisions import compare_decisions
from api.supervision.swap_sets import Progress, SwapQuestion, compare_everyone
from api.telemetry.progress import ProgressReporter
from engine.changes.swap_report import SwapReport
from engine.changes.texts import file_differences
from engine.errors import Rejected
from engine.lang.model.program import Release
from engine.lang.model.types import parse_scaled

app = commands()
out = Console(highlight=False, soft_wrap=True)
TEXT_COLUMNS = 120  # of a text file
MIN_PREFIX = 6  # characters of a release's id
Rules = Annotated[str, typer.Argument(help="a folder of rule files, or the id of a stored release or its beginning")]


@app.command()
def diff(
    old: Rules,
    new: Rules,
    database: Annotated[str | None, typer.Option(help="the database's URL; default: IFTAH_DATABASE_URL")] = None,
    files_only: Annotated[bool, typer.Option("--files-only", help="compare the files, not their effect")] = False,
    as_of: Annotated[
        str | None, typer.Option(help="everyone as of this moment, as known then; default: the newest build")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="instead of everyone, the decisions recorded from this moment on")
    ] = None,
    until: Annotated[str | None, typer.Option(help="with --since: up to before this moment; default: now")] = None,
    amount: Annotated[
        list[str] | None, typer.Option(help="the deposit to ask for, such as hotel=2000; repeatable")
    ] = None,
    sample: Annotated[
        int, typer.Option(min=0, help="name so many of the people, or decisions, moved, for each perk")
    ] = 0,
    by_contributor: Annotated[bool, typer.Option("--by-contributor", help="also count by contributor")] = False,
    to: Annotated[Literal["text", "json", "html"], typer.Option("--format", help="the output format")] = "text",
    file: Annotated[Path | None, typer.Option("--out", help="write to this file")] = None,
) -> None:
    """Show what changes in meaning between two sets of rules, and whom it moves.

    We count by outcome, amount, band, reason, and by the change that moved each person. Comments, layout, quotes and the order of keys change nothing. Groups of fewer than 10 people are hidden.
    """
    if Path(old).is_dir() and Path(new).is_dir():
        first, second = (rules_folder.load_folder(Path(name)) for name in (old, new))
        if files_only or first.id == second.id:  # without a database
            _write(_difference(first, second), to, file)
            return
    with _database(database) as opened:
        first, second = (_release(opened, name, where) for name, where in ((old, "OLD"), (new, "NEW")))
        if files_only or first.id == second.id:
            report = _difference(first, second)
        else:
            amounts = dict(_amount(first, second, text) for text in amount or ())
            moment = clock.parse_moment(as_of, "--as-of") if as_of else None
            question = SwapQuestion(first, second, amounts, sample, moment, by_contributor)
            with _progress("comparing") as progress:
                if since is None:
                    report = compare_everyone(opened, question, progress)
                else:
                    end = clock.parse_moment(until, "--until") if until else clock.now()
                    report = compare_decisions(opened, question, clock.parse_moment(since, "--since"), end, progress)
    _write(report, to, file)


def _difference(old: Release, new: Release) -> SwapReport:
    """The report of the files alone."""
    return SwapReport(old.id, new.id, "people", "", file_differences(old.files, new.files), (), None, ())


@contextmanager
def _database(url: str | None) -> Iterator[Database]:
    database = open_database(url or settings().database_url)
    try:
        yield database
    finally:
        database.dispose()


@contextmanager
def _progress(text: str) -> Iterator[Progress]:
    """A bar on a terminal; elsewhere nothing, since standard error is for errors."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _count, _total: None
        return
    with ProgressReporter(console).progress(text) as progress:
        yield progress


def _release(database: Database, name: str, where: str) -> Release:
    """The release of a folder, or a stored one. Raises RulesError with all problems of a folder, or Rejected."""
    if Path(name).is_dir():
        return rules_folder.load_folder(Path(name))
    ids = (
        [id_ for id_, _ in releases.list_releases(database) if id_.startswith(name)] if len(name) >= MIN_PREFIX else []
    )
    if len(ids) != 1:
        hint = "name a folder of rule files, or an id as `iftah check` prints it"
        problem = "there is no such folder or release" if not ids else f"{len(ids)} releases begin so"
        raise Rejected(f"`{name[:64]}`: {problem}", where=where, hint=hint, code="unknown_release")
    return releases.load_release(database, ids[0])


def _amount(old: Release, new: Release, text: str) -> tuple[str, int]:
    """The deposit of a perk in minor units."""
    perk_id, _, number = text.partition("=")
    perks = [p for release in (new, old) for program in release.programs for p in program.perks if p.id == perk_id]
    if not perks:
        raise Rejected(f"unknown perk in `{text[:60]}`", where="--amount", hint="write hotel=2000", code="unknown_perk")
    perk = perks[0]
    amount = parse_scaled(f"{number} {perk.currency}", perk.money)
    if amount is None or not 0 < amount <= perk.most:
        hint = f"write {perk_id}=100, up to the perk's `most`"
        raise Rejected(
            f"`{number[:30]}` is not an amount of `{perk_id}`", where="--amount", hint=hint, code="bad_amount"
        )
    return perk_id, amount


def _write(report: SwapReport, to: str, file: Path | None) -> None:
    if to == "text" and file is None:
        for part in swap_tables.as_text(report):
            out.print(part, markup=False)
        return
    if to == "text":
        buffer = StringIO()
        recorder = Console(file=buffer, width=TEXT_COLUMNS, highlight=False)
        for part in swap_tables.as_text(report):
            recorder.print(part, markup=False)
        text = buffer.getvalue()
    else:
        text = (
            swap_tables.as_html(report)
            if to == "html"
            else json.dumps(report.as_dict(), ensure_ascii=False, indent=2) + "\n"
        )
    if file is None:
        print(text, end="")
    else:
        replace.write(file, text)
        out.print(f"{file} written", markup=False)
