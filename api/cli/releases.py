"""`iftah propose`, `releases`, `approve`, `release` and others: how two people change the rules."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from api.cli.output import EXIT_FAILED, commands, console
from api.proposals import activations, measurement, proposals
from api.proposals.actors import Actor, actor_of_key, read_key
from api.proposals.change_record import change_record
from api.proposals.trials import view_trial
from api.releases import findings, probe, rules_folder
from api.releases.anchor import verify, write_anchor
from api.releases.catalogue import kinds, schema
from api.releases.feature_cases import case_features
from api.releases.in_force import StoredRules
from api.releases.release_log import read_state
from api.releases.release_states import TRIALS, Proposal, ReleaseState
from api.releases.step_checks import proposal_of
from api.render import change_page, release_texts
from api.settings.settings import settings
from api.store import clock, replace
from api.store.database import Database, open_database
from api.telemetry.progress import ProgressReporter
from engine.errors import Rejected

app = commands()
Number = Annotated[int, typer.Argument(help="the number of the proposal", min=1)]
Folder = Annotated[Path, typer.Argument(help="the folder of rule files")]
Message = Annotated[str, typer.Option("-m", "--message", help="why: it stays on record")]
Key = Annotated[Path | None, typer.Option("--key", help="the file of your private key; default: IFTAH_KEY")]


def _open() -> Database:
    database = open_database(settings().database_url)
    verify(database, read_state(database))
    return database


def _now() -> int:
    return clock.micros(clock.now())


def _actor(database: Database, key: Path | None) -> Actor:
    path = key or settings().key
    if path is None:
        hint = "make one: `iftah key new --party NAME`, then name its file: --key, or IFTAH_KEY"
        raise Rejected("you need a key", where="key", hint=hint, code="bad_key")
    return actor_of_key(read_key(path), read_state(database))


@app.command()
def propose(
    folder: Folder,
    message: Message,
    plan: Annotated[Path | None, typer.Option(help="a JSON file: the stages and guards of a partial release")] = None,
    revise: Annotated[int | None, typer.Option(help="the number of a proposal to which this is a new text")] = None,
    to: Annotated[
        Literal["text", "github"], typer.Option("--format", help="github: annotations, and a summary of the job")
    ] = "text",
    key: Key = None,
) -> None:
    """Propose the rules of a folder: check them, measure whom they move, and sign them for review.

    In a workflow of GitHub, `--format github` shows each problem beside its line, and the effect in the summary of the job.
    """
    database, now = _open(), _now()
    actor = _actor(database, key)
    files = _checked_files(folder, to)  # every problem at once, before anything is on record
    stages: Any = None if plan is None else _read_plan(plan)
    if revise is None:
        proposal = proposals.propose(database, actor, files, message, now, stages)
    else:
        proposal = proposals.revise(database, actor, revise, files, message, now, stages)
    console().print(f"proposal {proposal.number}: draft", markup=False)
    proposal = measurement.check_patiently(database, proposal.number, _now())
    if proposal.problems:
        for line in proposal.problems:
            console().print(line, markup=False)
        console().print(f"mend it, and send it again: `iftah propose --revise {proposal.number}`", markup=False)
        raise typer.Exit(EXIT_FAILED)
    console().print("checked: its cases pass, and the engines agree", markup=False)
    proposal = _measure(database, actor, proposal.number)
    proposals.submit(database, actor, proposal.number, _now())
    console().print(f"in review: another person approves it by `iftah approve {proposal.number}`", markup=False)
    if to == "github":
        _write_summary(release_texts.markdown(proposal, measurement.effect_of(database, proposal)))


def _checked_files(folder: Path, to: str) -> Mapping[str, str]:
    """The files of a folder. Problems of rules and cases are printed, and end the command."""
    from engine.verify import cases

    files, release, problems = rules_folder.check_folder(folder)
    if release is not None:
        problems = findings.case_problems(cases.run(release, files, schema(), kinds(), case_features))
    if not problems:
        return files
    all_findings = findings.findings_in(folder, files, problems)
    if to == "github":
        print(findings.as_github(all_findings))
    else:
        for line in findings.as_text(all_findings):
            console().print(line)
    raise typer.Exit(EXIT_FAILED)


def _write_summary(text: str) -> None:
    """Append to the summary of a job of GitHub Actions; print it elsewhere."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        print(text)
        return
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def _read_plan(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        hint = 'write JSON such as {"stages": [{"share": "5%", "hours": 24}, {"share": "100%"}]}'
        raise Rejected("this is no plan", where=str(path), hint=hint, code="bad_plan") from None


def _measure(database: Database, actor: Actor, number: int) -> Proposal:
    with ProgressReporter(console()).progress("measuring whom it moves") as progress:
        proposal = measurement.measure_proposal(database, actor, number, _now(), progress)
    for line in release_texts.effect_lines(measurement.effect_of(database, proposal)):
        console().print(line, markup=False)
    return proposal


@app.command()
def measure(number: Number, key: Key = None) -> None:
    """Measure again whom a proposal moves, after another release came into force, and sign it again for review."""
    database = _open()
    actor = _actor(database, key)
    _measure(database, actor, number)
    proposals.submit(database, actor, number, _now())
    console().print(f"in review: another person approves it by `iftah approve {number}`", markup=False)


@app.command("releases")
def list_releases(
    number: Annotated[int | None, typer.Argument(help="the number of one proposal, to see all of it", min=1)] = None,
    accept_restored: Annotated[
        bool, typer.Option("--accept-restored", help="the database was restored from a back-up on purpose")
    ] = False,
    message: Annotated[str | None, typer.Option("-m", "--message", help="with --accept-restored: why")] = None,
    to: Annotated[
        Literal["text", "json", "html"],
        typer.Option("--format", help="json, html: the record of one change, in one file"),
    ] = "text",
    file: Annotated[Path | None, typer.Option("--out", help="write to this file")] = None,
    key: Key = None,
) -> None:
    """List the proposals and the releases that were in force, newest first; or show one proposal."""
    if accept_restored:
        database = open_database(settings().database_url)
        actor = _actor(database, key)
        write_anchor(database, activations.accept_restored(database, actor, message or "", _now()))
        console().print("this database is accepted as it is; it is on record", markup=False)
        return
    database = _open()
    if to != "text":
        _write_record(database, number, to, file)
        return
    state = read_state(database)
    if number is None:
        lines = release_texts.state_lines(state)
    else:
        proposal = proposal_of(state, number)
        lines = _proposal_lines(database, state, proposal)
    for line in lines:
        console().print(line, markup=False)


def _proposal_lines(database: Database, state: ReleaseState, proposal: Proposal) -> Iterator[str]:
    yield from release_texts.proposal_lines(state, proposal, measurement.effect_of(database, proposal))
    if proposal.state in TRIALS:
        view = view_trial(database, proposal)
        yield from release_texts.guard_lines(view.verdicts, view.answers)


def _write_record(database: Database, number: int | None, to: str, file: Path | None) -> None:
    if number is None:
        raise Rejected("a record is of one proposal", where="NUMBER", hint="name its number", code="unknown_proposal")
    record = change_record(database, number)
    text = change_page.as_html(record) if to == "html" else json.dumps(record, ensure_ascii=False, indent=2) + "\n"
    if file is None:
        print(text, end="")
        return
    replace.write(file, text)
    console().print(f"{file} written", markup=False)


@app.command()
def approve(number: Number, key: Key = None) -> None:
    """Approve a proposal as the second person. You sign its files, its effect and its plan: any change voids it."""
    database = _open()
    proposal = proposals.approve(database, _actor(database, key), number, _now())
    console().print(
        f"proposal {proposal.number} is approved: `iftah release {number}` puts it into force", markup=False
    )


@app.command()
def reject(number: Number, message: Message, key: Key = None) -> None:
    """Reject a proposal. It stays on record, with the reason."""
    database = _open()
    proposals.reject(database, _actor(database, key), number, message, _now())
    console().print(f"proposal {number} is rejected", markup=False)


@app.command()
def release(
    number: Number,
    at: Annotated[str | None, typer.Option("--at", help="at this moment, such as 2026-01-31T09:00:00Z")] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="decide beside the release in force, for nobody to see")
    ] = False,
    key: Key = None,
) -> None:
    """Put an approved proposal into force: for everyone, or by its plan for a first share of people."""
    database, now = _open(), _now()
    actor = _actor(database, key)
    if at is not None:
        proposal = activations.schedule(database, actor, number, clock.micros(clock.parse_later(at, "--at")), now)
    elif shadow:
        proposal = activations.begin_shadow(database, actor, number, now)
    else:
        proposal = activations.release_proposal(database, actor, number, now)
    console().print(f"proposal {number} is {proposal.state}", markup=False)


@app.command()
def rollback(
    message: Message,
    to: Annotated[
        str | None, typer.Option(help="the id of a release that was in force; default: the one before")
    ] = None,
    key: Key = None,
) -> None:
    """Go back: end the trial that runs, or put a release into force again that was in force. One person is enough."""
    database = _open()
    actor, state = _actor(database, key), read_state(database)
    if state.trial is not None and to is None:
        activations.stop(database, actor, state.trial, message, _now())
        console().print(f"the trial of proposal {state.trial} has ended", markup=False)
        return
    active = activations.roll_back(database, actor, message, _now(), to)
    console().print(f"release {active.release[:12]} is in force again", markup=False)


@app.command("break-glass")
def break_glass(
    message: Message,
    folder: Annotated[Path | None, typer.Argument(help="the folder of rule files")] = None,
    hours: Annotated[int, typer.Option(min=1, max=activations.MAX_HOURS, help="after which it ends by itself")] = 4,
    end: Annotated[bool, typer.Option("--end", help="end it now")] = False,
    key: Key = None,
) -> None:
    """Put rules into force alone, for some hours. It is loud, and it ends by itself."""
    database = _open()
    actor = _actor(database, key)
    if end:
        activations.end_break_glass(database, actor, _now())
        console().print("the break-glass has ended", markup=False)
        return
    if folder is None:
        raise Rejected("name the folder of rule files", where="FOLDER", hint="or end one: --end", code="no_rules")
    rules = StoredRules(rules_folder.load_folder(folder), rules_folder.rule_files(folder)[0])
    probe.run_probe(rules.release, files=rules.files)
    active = activations.break_glass(database, actor, rules, hours, message, _now())
    console().print(
        f"BREAK-GLASS: release {active.release[:12]} is in force for {hours} hours, by one person", markup=False
    )
