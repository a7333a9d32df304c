"""The command line: each command parses, calls one action, presents. Errors are one line, and the status tells.

What serves, and with it the web framework, is imported by the commands that serve: the others start in half of the time.
"""

import sys
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console

from api import actions, clock, mistakes, prepare, show
from api.backup import copied
from api.commands.audit import audits
from api.commands.evaluate import evaluations
from api.commands.export import exports
from api.commands.graph import graphs
from api.commands.rules import FAILED, WRONG, rules
from api.commands.tokens import tokens
from api.database import open_database
from api.decisions.decisions import Asked
from api.evidence.load import load_file
from api.features import builds
from api.features import refresh as refreshes
from api.people import erasure
from api.prepare import Stages, open_world
from api.settings import in_force, settings
from engine.errors import IftahError, Refused
from engine.lang.problems import RulesError
from engine.lang.program import Program
from engine.lang.types import Type, scaled
from graph.sources import SourceError

INTERRUPTED = 130  # the exit status of Ctrl-C

app = typer.Typer(
    help="Iftah: trust scores and deposit-free perks from evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(rules)
app.add_typer(graphs)
app.add_typer(tokens, name="token")
app.add_typer(audits, name="audit")
app.add_typer(evaluations, name="evaluate")
app.add_typer(exports, name="export")
out = Console(highlight=False, soft_wrap=True)

Person = Annotated[str, typer.Argument(help="the person's id")]


def main() -> None:
    """The entry point: every expected failure becomes one line on stderr and a status."""
    try:
        app()
    except SystemExit as stopped:
        if stopped.code == INTERRUPTED:
            print("iftah: stopped; what was committed stays, run it again to go on", file=sys.stderr)
        raise
    except RulesError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        sys.exit(WRONG)
    except (IftahError, SourceError) as error:
        print(f"iftah: {error}", file=sys.stderr)
        sys.exit(WRONG)
    except Exception as error:  # a mistake of ours: its kind and place, for its text may hold data
        print(
            f"iftah: something went wrong inside ({mistakes.kind_and_place(error)}): please report it", file=sys.stderr
        )
        sys.exit(WRONG)


@app.command()
def run() -> None:
    """Load evidence if there is none, build, score everyone, and serve."""
    from api import serving
    from api.access.gate import gate_of
    from api.background.reload import Reload
    from api.commands import walk

    chosen, stages = settings(), Stages()
    gate = gate_of(chosen)
    with serving.listening(chosen.host, chosen.port) as socket:
        world, made = prepare.prepared(chosen, show.Steps(out), stages)
        out.print(show.stages(stages.done))
        out.print(f"OpenAPI page: http://{chosen.host}:{chosen.port}/docs")
        out.print("A request that works, as the demo merchant (its token ends in a day):")
        for line in walk.request(world, made, chosen):
            out.print(line, markup=False)
        serving.serve(world, socket, Reload(chosen.rules), gate, chosen.log_format)


@app.command()
def demo() -> None:
    """Do the same without serving, and show one answer of each kind."""
    from api.commands import walk

    walk.demo(settings(), out)


@app.command()
def load(files: Annotated[list[Path], typer.Argument(help="CSV, NDJSON or Parquet; text may be gzipped")]) -> None:
    """Put files of events into the ledger. Rows that are refused go to FILE.rejects.ndjson, and the status is 1."""
    database, steps = open_database(settings().database_url), show.Steps(out)
    bad = unread = False
    for file in files:
        try:
            with steps.progress(f"loading {file}") as moved:
                report = load_file(database, file, now=clock.now, on_progress=moved)
        except Refused as error:  # the other files still have their turn
            print(f"iftah: {error}", file=sys.stderr)
            unread = True
            continue
        said = f"{file}: {report.accepted:,} accepted, {report.duplicates:,} there already, {report.refused:,} refused"
        steps.say(f"{said}, see {report.rejects_path}" if report.rejects_path else said)
        if report.broken:
            steps.say(f"{file}: {report.broken}")
        bad |= bool(report.refused or report.broken)
    if bad or unread:
        raise typer.Exit(WRONG if unread else FAILED)


@app.command()
def build(
    as_of: Annotated[
        str | None, typer.Option(help="the moment to look from, such as 2026-01-31; now unless given")
    ] = None,
) -> None:
    """Compute everyone's features from what the ledger holds; they are what is served from then on.

    As of now, they follow the clock: a refresh looks from its own moment. As of another moment, they stay with that one.
    """
    chosen = settings()
    moment = clock.parsed(as_of, "--as-of") if as_of else clock.now()
    database = open_database(chosen.database_url)
    with show.Steps(out).progress("building the graph and features"):
        made = builds.build(database, moment, chosen.purpose, clock.now(), follows=as_of is None)
    out.print(f"{made.people:,} people as of {clock.iso(made.as_of)}, from {made.events:,} events")
    if not made.people:
        out.print("nobody was enrolled and consented by then: every question will be refused until another build")


@app.command()
def refresh() -> None:
    """Make the features and scores of everyone anew whom new events touch; a running server does so by itself."""
    world, began = prepare.enforced(settings()), perf_counter()
    actions.ready(world)
    done = refreshes.until_done(world.database, world.engines, clock.now)
    made = actions.ready(world)
    out.print(f"{done.people:,} people for {done.events:,} new events in {perf_counter() - began:.1f} s")
    if made.later:
        said = f"{made.later:,} events happened after {clock.iso(made.as_of)}, from which this build looks"
        out.print(f"{said}: they wait for an `iftah build` as of a later moment")


@app.command("clock")
def keep_time() -> None:
    """Move the orders that time moves, once: expired, overdue. A running server does so by itself."""
    from api.background import timekeeper

    moved = timekeeper.keep_time(prepare.enforced(settings()), clock.now())
    out.print(f"{moved:,} orders moved")


@app.command()
def score() -> None:
    """Score everyone in the newest build under the rules folder's release."""
    world = prepare.enforced(settings())
    made = actions.ready(world)
    for line in show.distribution(world.program(made), actions.scored(world, made)):
        out.print(line, markup=False)


@app.command()
def explain(
    person: Person,
    rule: Annotated[str | None, typer.Option(help="one rule, characteristic, knock-out or tier, by its id")] = None,
    language: Annotated[str, typer.Option(help="of the reasons: en or zh")] = "en",
) -> None:
    """Show how a person's score comes about: every rule, what it asks, what there is, how far it is off."""
    world = open_world(settings())
    found = actions.explained(world, person, clock.now())
    _known_language(found.program, language)
    for part in show.one_rule(found, rule) if rule else show.explanation(found, language):
        out.print(part, markup=False)


@app.command()
def eligible(
    person: Person,
    perk: Annotated[str, typer.Option(help="the perk's id, such as hotel")],
    amount: Annotated[str, typer.Option(help="the deposit, in the perk's currency: 500 or 500.00")],
    fields: Annotated[
        list[str] | None, typer.Option("--with", help="a field of the request: nights=3; may be given again")
    ] = None,
    language: Annotated[str, typer.Option(help="of the reasons: en or zh")] = "en",
) -> None:
    """Decide whether a person may have a perk without a deposit; the decision is recorded."""
    world = prepare.enforced(settings())
    program = world.program(actions.ready(world))
    _known_language(program, language)
    asked = _question(program, person, perk, amount, fields or [])
    told = actions.eligibility(world, asked, clock.now())
    perk_ = program.perk(perk)
    shown = [show.money(minor, perk_) for minor in (told.waived, told.deposit)]
    out.print(f"{told.outcome}: waived {shown[0]}, deposit {shown[1]} {asked.currency}")
    out.print(f"decision {told.id}, valid until {clock.iso(told.valid_until)}")
    for line in show.decision(program, actions.recorded(world, told.id), language):
        out.print(line, markup=False)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="the address; IFTAH_HOST unless given")] = None,
    port: Annotated[int | None, typer.Option(help="the port; IFTAH_PORT unless given", min=1, max=65535)] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="processes; more than one on PostgreSQL only; IFTAH_WORKERS unless given", min=1, max=64),
    ] = None,
) -> None:
    """Serve the API from what has been built."""
    from api import serving
    from api.access.gate import gate_of
    from api.background.reload import Reload

    chosen = settings()
    chosen = chosen.model_copy(update={"workers": workers or chosen.workers})
    serving.allowed(chosen)
    gate = gate_of(chosen)
    with serving.listening(host or chosen.host, port or chosen.port) as socket:
        world = prepare.enforced(chosen, serving=True)
        out.print(f"OpenAPI page: http://{host or chosen.host}:{port or chosen.port}/docs")
        if chosen.workers > 1:
            serving.serve_by_several(world, socket, chosen)
        else:
            serving.serve(world, socket, Reload(chosen.rules), gate, chosen.log_format)


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="the copy to make; it must not be there yet")]) -> None:
    """Copy an SQLite database while it is in use: the state of one moment, whole or not at all."""
    database = open_database(settings().database_url)
    try:
        copied(database, file)
    finally:
        database.dispose()
    out.print(f"{file}: {file.stat().st_size:,} bytes", markup=False)


@app.command()
def erase(
    person: Person, yes: Annotated[bool, typer.Option("--yes", help="do not ask whether it is meant")] = False
) -> None:
    """Erase a person who asks for it by letter, as `DELETE /v1/me` does. It cannot be taken back."""
    database = open_database(settings().database_url)
    try:
        held = erasure.held(database, person)
        if not held:
            raise Refused("nothing is kept of this person", where="person", hint="check the id", code="unknown_person")
        if not yes:
            rows = ", ".join(f"{number:,} {name}" for name, number in held.items())
            typer.confirm(f"Erase what names this person ({rows})?", abort=True)
        gone = erasure.erase(database, person, clock.now())
        swept = erasure.sweep(database)
    finally:
        database.dispose()
    said = f"{gone.events:,} events are erased, {gone.kept_of_others:,} stay as somebody else's without the person"
    out.print(f"{said}; {gone.decisions:,} decisions stay in the chain, without whom they were about")
    if not swept:
        out.print("the files are in use: a running server sweeps them within the hour")


@app.command("settings")
def settings_() -> None:
    """Show every setting in force, and where it is from; passwords and tokens are left out."""
    for setting in in_force(settings()):
        out.print(f"{setting.name} = {setting.value}  ({setting.source})", markup=False)


def _known_language(program: Program, language: str) -> None:
    if language not in program.languages:
        hint = f"use one of {', '.join(program.languages)}"
        raise Refused(f"unknown language `{language}`", where="--language", hint=hint, code="unknown_language")


def _question(program: Program, person: str, perk: str, amount: str, fields: list[str]) -> Asked:
    known = program.perk(perk)
    digits = known.digits if known else 2
    minor = scaled(amount, Type("decimal", digits))
    if minor is None:
        hint = f"write 500 or 500.{'0' * digits}"
        raise Refused(f"`{amount}` is not an amount", where="--amount", hint=hint, code="bad_amount")
    return Asked("operator", None, person, perk, minor, known.currency if known else "", dict(map(_field, fields)))


def _field(text: str) -> tuple[str, str | bool]:
    name, sign, value = text.partition("=")
    if not sign:
        raise Refused(
            f"`{text[:60]}` is no field with a value", where="--with", hint="write nights=3", code="bad_context"
        )
    return name, {"true": True, "false": False}.get(value, value)
