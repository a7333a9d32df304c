"""`iftah audit`: the chain verified, digests and proofs, the yearly report. What it prints may be published, but for records."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from api import clock
from api.commands import FAILED, commands
from api.database import open_database
from api.progress import Steps
from api.releases import rules_folder
from api.settings import settings
from api.supervision import audit, digests, replay, report
from api.supervision.audit import day_name
from api.supervision.report import Attribute, Report
from api.world import World
from engine.engines import Engines
from engine.errors import Refused
from graph.json_keys import RepeatedKey, not_a_number, once

audits = typer.Typer(help="Verify, replay, prove and report decisions.", no_args_is_help=True)
app = commands()
app.add_typer(audits, name="audit")
out = Console(highlight=False, soft_wrap=True)

DecisionArgument = Annotated[str, typer.Argument(help="a decision's id")]


@contextmanager
def _database() -> Iterator[Engine]:
    found = open_database(settings().database_url)
    try:
        yield found
    finally:
        found.dispose()


@audits.command()
def verify(
    head: Annotated[str | None, typer.Option(help="a hash that an earlier walk ended with: it must be there")] = None,
) -> None:
    """Walk the chain of decisions; name the first break, if there is one, with the status 1."""
    began = perf_counter()
    with _database() as database, Steps(out).progress("walking the chain") as moved:
        found = audit.verify(database, lambda decisions: moved(decisions, None), head)
    seconds = perf_counter() - began
    if not found.decisions and not found.broken:
        out.print("no decision has been made yet: there is nothing to verify")
        return
    held = f"{found.decisions:,} decisions hold, {found.erased:,} of them without their record (the person has left)"
    out.print(
        f"{held}, {found.digests:,} digests; {seconds:.1f} s, {found.decisions / max(seconds, 1e-3):,.0f} a second"
    )
    if found.broken:
        seq = "" if found.broken.seq is None else f"(seq {found.broken.seq})"
        place = " ".join(filter(None, (found.broken.id, seq)))
        place = f"decision {place}: " if place else ""
        out.print(f"broken: {place}{found.broken.what}", markup=False)
        raise typer.Exit(FAILED)
    out.print(f"head {found.head}")


@audits.command()
def digest() -> None:
    """Make the digest of every day that is over and has none; print all, to be published."""
    with _database() as database:
        digests.make(database, clock.now())
        known = digests.listed(database)
    for made in known:
        out.print(f"{day_name(made.day)}  {made.root}  {made.first}-{made.last}", markup=False)


@audits.command()
def proof(decision: DecisionArgument) -> None:
    """Print the proof that a decision is in its day's digest, as JSON."""
    with _database() as database:
        print(json.dumps(digests.proof(database, decision), indent=2, ensure_ascii=False))


@audits.command("check-proof")
def check_proof(
    file: Annotated[Path, typer.Argument(help="what `iftah audit proof` printed")],
    root: Annotated[str | None, typer.Option(help="the root that was published for the day")] = None,
) -> None:
    """Check a proof, without any database; the status is 1 when it leads elsewhere."""
    given = _json(file)
    reached = digests.check(given)
    if root is not None and root.lower() != reached.root:
        out.print(
            f"the proof leads to {reached.root}, not to the root that was given: see that both are of the same day"
        )
        raise typer.Exit(FAILED)
    said = given["entry"]
    day = f"in the digest of {given['day']}"
    day = day if reached.dates else f"{day} by its own word: a root of that format does not cover the day"
    out.print(f"decision {said['id']} of {said['merchant']}: {said['outcome']}, {day}", markup=False)
    out.print(f"root {reached.root}" + ("" if root else ": compare it with what was published for the day"))


@audits.command("replay")
def replay_(decision: DecisionArgument) -> None:
    """Decide again under the release of then and compare bit for bit; the status is 1 when it is another."""
    with _database() as database, closing(Engines(rules_folder.load(settings().rules))) as engines:
        found = replay.replay(World(database, engines), decision)
    if found.equal:
        out.print(f"decision {decision} under release {found.release[:12]}: the same, bit for bit")
        return
    for d in found.differences:
        out.print(f"{d.engine}: {d.where} was {d.recorded}, is {d.replayed}", markup=False)
    raise typer.Exit(FAILED)


@audits.command("report")
def report_(
    year: Annotated[int, typer.Argument(help="such as 2026", min=1970, max=9999)],
    json_: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """Show what came of a year's questions, by perk and month, and by group; small groups are hidden."""
    timezone = rules_folder.load(settings().rules).timezone
    with _database() as database:
        found = report.yearly(database, year, clock.now(), settings().report_smallest_group, timezone)
    if json_:
        print(TypeAdapter(Report).dump_json(found, indent=2).decode())
        return
    note = "" if found.complete else ", so far"
    out.print(f"{year}{note}: {found.decisions:,} answers, {found.erased:,} of them about people who have left")
    if not found.decisions:
        out.print("nobody was answered in that year, so there is no table")
        return
    out.print(_by_perk(found))
    for attribute in found.attributes:
        out.print(_by_group(attribute, found.smallest_group))


def _by_perk(found: Report) -> Table:
    outcomes = list(found.outcomes)
    table = Table("perk", "month", *outcomes, title="answers")
    rows: dict[tuple[str, int], dict[str, int]] = {}
    for count in found.counts:
        rows.setdefault((count.perk, count.month), {})[count.outcome] = count.decisions
    for (perk, month), counted in sorted(rows.items()):
        table.add_row(perk, str(month), *(f"{counted.get(outcome, 0):,}" for outcome in outcomes))
    return table


def _by_group(attribute: Attribute, smallest: int) -> Table:
    title = f"{attribute.attribute}: groups of fewer than {smallest} people are hidden, and enough others"
    table = Table("group", "people", "outcomes", "admitted", "of the highest", "under four fifths", title=title)
    for group in attribute.groups:
        said = asdict(group)
        if group.hidden:
            table.add_row(group.value, *["hidden"] * 5)
            continue
        outcomes = ", ".join(f"{name} {n:,}" for name, n in said["outcomes"].items())
        rate, ratio = (_share(said[name]) for name in ("admit_rate", "ratio"))
        table.add_row(
            group.value, f"{group.people:,}", outcomes, rate, ratio, "yes" if group.under_four_fifths else "no"
        )
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=once, parse_constant=not_a_number)
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}", where=str(file), code="bad_proof") from None
    except RepeatedKey as error:
        raise Refused(str(error), where=str(file), hint="keep one", code="bad_proof") from None
    except ValueError:
        raise Refused("this is not JSON", where=str(file), code="bad_proof") from None
    return found if isinstance(found, dict) else {}
