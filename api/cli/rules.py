"""`iftah check`, `fmt`, `test` and `schema`: check, format and test rule files, and print schemas for your editor."""

import dataclasses
import gc
import json
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from api.cli.output import EXIT_ERROR, EXIT_FAILED, commands, console
from api.cli.plain_values import PlainValues
from api.releases import findings, proofs, rules_folder
from api.releases.catalogue import kinds, schema
from api.releases.feature_cases import case_features
from api.releases.findings import Finding, display_path
from api.settings.source import rules_folder as folder_in_force
from api.store import replace
from engine.errors import IftahError, Rejected
from engine.lang.model.problems import Problem, Report, SourceSpan
from engine.lang.model.program import Release
from engine.lang.model.types import Schema
from engine.lang.syntax.grammar import KINDS

if TYPE_CHECKING:
    from engine.verify.cases import CaseOutcome

app = commands()
MAP_KIND: Final = "map"  # of a file that is no rule file: `iftah import` reads it
FLAG_PREFIX: Final = "watch."  # of the names of flags, which schemas take by their pattern
SCHEMA_KINDS: Final = (*KINDS, MAP_KIND)

Places = Annotated[list[Path] | None, typer.Argument(help="folders of rule files, or rule files; default: IFTAH_RULES")]
Folder = Annotated[Path | None, typer.Argument(help="the folder of rule files; default: IFTAH_RULES")]


@contextmanager
def _gc_disabled() -> Iterator[None]:
    """Disable Python's cyclic garbage collector, and hide the objects of the command from its pass at the end of the process.

    We keep all objects until the end, and the collector would take a quarter of the time of a check.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # now and not at exit: a process that goes on after the command can take it back
        if was_enabled:
            gc.enable()


@app.command(cls=PlainValues)
@_gc_disabled()
def check(
    places: Places = None,
    to: Annotated[
        Literal["text", "json", "sarif", "github"], typer.Option("--format", help="the output format")
    ] = "text",
    prove: Annotated[bool, typer.Option("--prove", help="warn of lines without effect, by the solver z3")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="prove, and take warnings for errors")] = False,
) -> None:
    """Check rule files and run their cases. List every problem with its place and a hint."""
    from engine.verify import cases

    if prove or strict:
        proofs.require_solver("--prove" if prove else "--strict")

    all_findings, summaries, count = list[Finding](), list[str](), 0
    for folder in _folders(places):
        texts, release, problems = rules_folder.check_folder(folder)
        if release:
            problems = findings.case_problems(cases.run(release, texts, schema(), kinds(), case_features))
            problems += _warnings(release, strict=strict) if prove or strict else ()
            summaries.append(f"{len(texts)} files, no problem; release {release.id[:12]}")
        all_findings += findings.findings_in(folder, texts, problems)
        count += len(texts)
    errors = [finding for finding in all_findings if finding.problem.severity == "error"]
    if to != "text":
        print(findings.FORMATS[to](all_findings))
    else:
        _print_findings(all_findings)
        warned = len(all_findings) - len(errors)
        counts = [_plural(len(errors), "problem")] * bool(errors) + [_plural(warned, "warning")] * bool(warned)
        print(f"{' and '.join(counts)} in {_plural(count, 'file')}" if counts else "\n".join(summaries))
    if errors:
        raise typer.Exit(EXIT_FAILED)


def _warnings(release: Release, *, strict: bool) -> tuple[Problem, ...]:
    """The warnings that we can prove about a release. Errors, if strict."""
    lint = proofs.lint(release)
    if lint.undecided:
        print(f"iftah: {_plural(lint.undecided, 'question')} about the rules took the solver too long", file=sys.stderr)
    return tuple(dataclasses.replace(w, severity="error") for w in lint.warnings) if strict else lint.warnings


@app.command(cls=PlainValues)
@_gc_disabled()
def fmt(
    places: Places = None,
    check_only: Annotated[
        bool, typer.Option("--check", help="write nothing; list the files that would change, with status 1")
    ] = False,
) -> None:
    """Format rule files. Comments are kept. A file with a problem stays unchanged."""
    all_findings, changed, unchanged, failed = list[Finding](), 0, 0, False
    for path in _files(places):
        try:
            text, new, problems = _format_file(path)
        except IftahError as error:  # we still format the other files
            print(f"iftah: {error}", file=sys.stderr)
            failed = True
            continue
        all_findings += findings.findings_in(path.parent, {path.name: text}, problems)
        if new is None or new == text:
            unchanged += 1
            continue
        changed += 1
        if not check_only:
            replace.write(path, new)
        print(f"{display_path(path)} {'would be' if check_only else 'is'} reformatted")
    _print_findings(all_findings)
    print(f"{_plural(changed, 'file')} {'to be ' if check_only else ''}reformatted, {unchanged} unchanged")
    if failed or all_findings or (check_only and changed):
        raise typer.Exit(EXIT_ERROR if failed else EXIT_FAILED)


@app.command("test", cls=PlainValues)
def run_cases(
    folder: Folder = None,
    to: Annotated[Path | None, typer.Option("--junit", help="also write JUnit XML to this file")] = None,
    with_coverage: Annotated[
        bool, typer.Option("--coverage", help="list the branches that no case tries, and write a case for each")
    ] = False,
    threshold: Annotated[
        str | None, typer.Option(help="with --coverage: status 1 if the cases try fewer branches than so many percent")
    ] = None,
) -> None:
    """Run the cases beside the rules. Count those that pass in each file, and show the failures.

    With --coverage, list each bin and each result of a condition that no case tries, with its place, and a case that tries it.
    """
    from engine.verify import cases

    least = _percent(threshold)
    place = folder or folder_in_force()
    texts, release, problems = rules_folder.check_folder(place)
    if release is None:
        _print_findings(findings.findings_in(place, texts, problems))
        print(f"{_plural(len(problems), 'problem')} in {_plural(len(texts), 'file')}: no case was run")
        raise typer.Exit(EXIT_ERROR)
    outcomes = defaultdict[str, list["CaseOutcome"]](list)
    for outcome in cases.run(release, texts, schema(), kinds(), case_features):
        outcomes[display_path(place / outcome.at.file)].append(outcome)
    for file, file_outcomes in outcomes.items():
        _print_outcomes(file, file_outcomes)
    if to:
        from api.releases import junit  # imported here: its library takes long to import

        junit.write(to, outcomes)
    all_outcomes = [o for file_outcomes in outcomes.values() for o in file_outcomes]
    is_covered = True
    if with_coverage or least is not None:
        from api.cli.coverage_report import print_coverage

        is_covered = print_coverage(place, texts, release, all_outcomes, least)
    if any(o.failures for o in all_outcomes) or not is_covered:
        raise typer.Exit(EXIT_FAILED)


def _percent(text: str | None) -> int | None:
    """The number of percent in an option. Raises BadParameter unless it is a whole number from 0 to 100."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= 100):
        raise typer.BadParameter(f"{text!r} is not a whole number from 0 to 100.", param_hint="'--threshold'")
    return int(text)


@app.command("schema", cls=PlainValues)
def schema_(
    kind: Annotated[str | None, typer.Argument(help=f"{', '.join(SCHEMA_KINDS)}; default: all")] = None,
    to: Annotated[Path | None, typer.Option("--out", help="write a KIND.json for each kind to this folder")] = None,
) -> None:
    """Print the JSON Schema of a kind of rule file, of import maps, or of all kinds. It has the features and kinds that the
    folder of rules declares. With --out, write a file for each.
    """
    if kind is not None and kind not in SCHEMA_KINDS:
        hint = f"use one of {', '.join(SCHEMA_KINDS)}"
        raise Rejected(f"`{kind}` is not a kind of rule file", where="schema", hint=hint, code="unknown_kind")
    if to is None:
        texts = schema_texts(folder_in_force(), (kind,) if kind else SCHEMA_KINDS)
        print(texts[kind] if kind else _text({each: json.loads(text) for each, text in texts.items()}), end="")
        return
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Rejected(f"cannot be created: {error.strerror}", where=str(to), code="not_written") from None
    for each, text in schema_texts(folder_in_force(), (kind,) if kind else SCHEMA_KINDS).items():
        replace.write(to / f"{each}.json", text)
        print(display_path(to / f"{each}.json"))


def schema_texts(folder: Path, schema_kinds: Collection[str] = SCHEMA_KINDS) -> dict[str, str]:
    """The JSON Schemas of these kinds, as the texts of files, with the names that the folder declares."""
    rule_kinds = [each for each in schema_kinds if each != MAP_KIND]
    texts = {}
    if rule_kinds:
        from engine.lang.syntax.json_schema import json_schema

        names = _names_in(folder)
        texts = {each: _text(json_schema(each, names)) for each in rule_kinds}
    if MAP_KIND in schema_kinds:
        from api.evidence.imports.event_targets import event_targets
        from api.evidence.imports.map_grammar import map_json_schema

        texts[MAP_KIND] = _text(map_json_schema(event_targets(rules_folder.load_vocabulary(folder))))
    return texts


def _names_in(folder: Path) -> Schema:
    """The features that rules in the folder can name: the catalogue's alone if the folder has a problem, which we say."""
    try:
        _, release, problems = rules_folder.check_folder(folder)
    except Rejected:
        return schema()
    if release is None:
        count = _plural(len(problems), "problem")
        print(f"iftah: {folder}: {count}: the features of the folder are left out (see `iftah check`)", file=sys.stderr)
        return schema()
    declared = {name: a for program in release.programs for name, a in program.schema.items()}
    return {**schema(), **{name: a for name, a in declared.items() if not name.startswith(FLAG_PREFIX)}}


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _print_outcomes(file: str, outcomes: list["CaseOutcome"]) -> None:
    failed = [outcome for outcome in outcomes if outcome.failures]
    print(f"{file}: {len(outcomes) - len(failed)} of {len(outcomes)} pass")
    for outcome in failed:
        print(f"  {file}:{outcome.at.line}:{outcome.at.column} {outcome.name}")
        for line in outcome.failures:
            print(f"    {findings.printable(line)}")
        for line in outcome.explanation:
            print(f"      {findings.printable(line)}")


def _print_findings(all_findings: list[Finding]) -> None:
    if all_findings:
        out = console()
        for line in findings.as_text(all_findings):
            out.print(line)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _folders(places: list[Path] | None) -> list[Path]:
    """The rules folders of the places. A list's rules folder is the one above `lists/`."""
    folders = dict[Path, None]()
    for place in places or [folder_in_force()]:
        if place.is_dir():
            folders[place] = None
        elif place.exists():
            folders[place.parent.parent if place.parent.name == "lists" else place.parent] = None
        else:
            raise Rejected("there is no such file or folder", where=str(place), code="no_rules")
    return [*folders]


def _files(places: list[Path] | None) -> Iterator[Path]:
    for place in places or [folder_in_force()]:
        if place.is_dir():
            yield from (path for _, path in rules_folder.rule_paths(place))
        elif place.exists():
            yield place
        else:
            raise Rejected("there is no such file or folder", where=str(place), code="no_rules")


def _format_file(path: Path) -> tuple[str, str | None, tuple[Problem, ...]]:
    """A file's text, its formatted text (None if it has problems), and its problems."""
    from engine.lang.syntax.formatter import format_text

    report = Report()
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        report.add("R008", f"byte {error.start} is not UTF-8", SourceSpan(path.name), "save the file as UTF-8")
        return "", None, report.sorted_problems()
    except OSError as error:
        raise Rejected(f"cannot be read: {error.strerror}", where=str(path), code="no_rules") from None
    new = format_text(path.name, text, report)
    return text, new, report.sorted_problems()
