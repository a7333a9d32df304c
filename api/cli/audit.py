"""`iftah audit`: verify the chain, make digests and proofs, replay decisions, report a year.

You may publish all that these commands print.
"""

import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from api.cli.database import configured_database
from api.cli.output import EXIT_FAILED, commands
from api.runtime.configured_rules import release_in_force
from api.runtime.context import AppContext
from api.settings.settings import settings
from api.store import clock
from api.supervision import audit, digests, replay, report
from api.supervision.audit import day_name
from api.supervision.report import ReportAttribute, YearlyReport
from api.telemetry.progress import ProgressReporter
from engine.decide.evaluators import Evaluators
from engine.errors import Rejected
from graph.evidence.unique_keys import RepeatedKey, object_with_unique_keys, reject_constant

audits = typer.Typer(help="Verify, replay, prove and report decisions.", no_args_is_help=True)
app = commands()
app.add_typer(audits, name="audit")
out = Console(highlight=False, soft_wrap=True)

DecisionArgument = Annotated[str, typer.Argument(help="a decision's id")]


@audits.command()
def verify(
    head: Annotated[
        str | None, typer.Option(help="the head that an earlier run printed; it must be in the chain")
    ] = None,
) -> None:
    """Verify the chain of decisions. On a break, name the first one and exit with status 1."""
    started_at = perf_counter()
    with configured_database() as database, ProgressReporter(out).progress("verifying the chain") as on_progress:
        result = audit.verify(database, lambda decisions: on_progress(decisions, None), head)
    seconds = perf_counter() - started_at
    if not result.decisions and not result.first_break:
        out.print("the chain is empty: no decision has been made yet")
        return
    summary = (
        f"{result.decisions:,} decisions hold, {result.erased:,} of them without their record (the person has left)"
    )
    out.print(
        f"{summary}, {result.digests:,} digests; {seconds:.1f} s, {result.decisions / max(seconds, 1e-3):,.0f} a second"
    )
    if result.first_break:
        seq = "" if result.first_break.seq is None else f"(seq {result.first_break.seq})"
        place = " ".join(filter(None, (result.first_break.id, seq)))
        place = f"decision {place}: " if place else ""
        out.print(f"broken: {place}{result.first_break.problem}", markup=False)
        raise typer.Exit(EXIT_FAILED)
    out.print(f"head {result.head}")


@audits.command()
def digest() -> None:
    """Make the missing digests of past days, and print all digests for you to publish."""
    with configured_database() as database:
        digests.make_digests(database, clock.now())
        day_digests = digests.list_digests(database)
    for day_digest in day_digests:
        out.print(f"{day_name(day_digest.day)}  {day_digest.root}  {day_digest.first}-{day_digest.last}", markup=False)


@audits.command()
def proof(decision: DecisionArgument) -> None:
    """Print the proof that a decision is in its day's digest, as JSON."""
    with configured_database() as database:
        print(json.dumps(digests.make_proof(database, decision), indent=2, ensure_ascii=False))


@audits.command("check-proof")
def check_proof(
    file: Annotated[Path, typer.Argument(help="the output of `iftah audit proof`")],
    root: Annotated[str | None, typer.Option(help="the published root of the day")] = None,
) -> None:
    """Check a proof without a database. Exit with status 1 if it leads to another root."""
    document = _read_json(file)
    result = digests.check_proof(document)
    if root is not None and root.lower() != result.root:
        out.print(f"the proof leads to {result.root} rather than to your root: check that both are of the same day")
        raise typer.Exit(EXIT_FAILED)
    entry = document["entry"]
    day = f"in the digest of {document['day']}"
    day = day if result.dates else f"{day} as the proof claims: a root of that format does not cover the day"
    out.print(f"decision {entry['id']} of {entry['merchant']}: {entry['outcome']}, {day}", markup=False)
    out.print(f"root {result.root}" + ("" if root else ": compare it with the published root of the day"))


@audits.command("replay")
def replay_(decision: DecisionArgument) -> None:
    """Decide again under the original release and compare bit for bit. Exit with status 1 on a difference."""
    with (
        configured_database() as database,
        closing(Evaluators(release_in_force(settings(), database))) as evaluators,
    ):
        result = replay.replay(AppContext(database, evaluators), decision)
    if result.equal:
        out.print(f"decision {decision} under release {result.release[:12]}: the same, bit for bit")
        return
    for d in result.differences:
        out.print(f"{d.engine}: {d.where} was {d.recorded}, is {d.replayed}", markup=False)
    raise typer.Exit(EXIT_FAILED)


@audits.command("report")
def report_(
    year: Annotated[int, typer.Argument(help="such as 2026", min=1970, max=9999)],
    json_: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """Report a year's outcomes by perk and month, and by group. Small groups are hidden."""
    with configured_database() as database:
        timezone = release_in_force(settings(), database).timezone
        yearly_report = report.yearly_report(database, year, clock.now(), settings().report_smallest_group, timezone)
    if json_:
        print(TypeAdapter(YearlyReport).dump_json(yearly_report, indent=2).decode())
        return
    note = "" if yearly_report.complete else ", so far"
    out.print(
        f"{year}{note}: {yearly_report.decisions:,} answers, {yearly_report.erased:,} of them about people who have left"
    )
    if not yearly_report.decisions:
        out.print("there were no decisions in that year, so there is no table")
        return
    out.print(_perk_table(yearly_report))
    for attribute in yearly_report.attributes:
        out.print(_group_table(attribute, yearly_report.smallest_group))


def _perk_table(yearly_report: YearlyReport) -> Table:
    outcomes = list(yearly_report.outcomes)
    table = Table("perk", "month", *outcomes, title="answers")
    rows: dict[tuple[str, int], dict[str, int]] = {}
    for count in yearly_report.counts:
        rows.setdefault((count.perk, count.month), {})[count.outcome] = count.decisions
    for (perk, month), counts in sorted(rows.items()):
        table.add_row(perk, str(month), *(f"{counts.get(outcome, 0):,}" for outcome in outcomes))
    return table


def _group_table(attribute: ReportAttribute, smallest_group: int) -> Table:
    title = f"{attribute.attribute}: groups of fewer than {smallest_group} people are hidden, and enough others"
    table = Table("group", "people", "outcomes", "admitted", "of the highest", "under four fifths", title=title)
    for group in attribute.groups:
        values = asdict(group)
        if group.hidden:
            table.add_row(group.value, *["hidden"] * 5)
            continue
        outcomes = ", ".join(f"{name} {n:,}" for name, n in values["outcomes"].items())
        rate, ratio = (_share(values[name]) for name in ("admit_rate", "ratio"))
        table.add_row(
            group.value, f"{group.people:,}", outcomes, rate, ratio, "yes" if group.under_four_fifths else "no"
        )
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _read_json(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(
            file.read_text(encoding="utf-8"), object_pairs_hook=object_with_unique_keys, parse_constant=reject_constant
        )
    except OSError as error:
        raise Rejected(f"cannot be read: {error.strerror}", where=str(file), code="bad_proof") from None
    except RepeatedKey as error:
        raise Rejected(str(error), where=str(file), hint="keep one", code="bad_proof") from None
    except ValueError:
        raise Rejected("this is not JSON", where=str(file), code="bad_proof") from None
    return document if isinstance(document, dict) else {}
