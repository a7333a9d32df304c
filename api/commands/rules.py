"""The command line for those who write rules: check, lay out, test, and what editors need."""

import atexit
import gc
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api import replace
from api.catalogue import kinds, schema
from api.commands import FAILED, WRONG, commands, console
from api.commands.plain_values import PlainValues
from api.releases import findings, rules_folder
from api.releases.findings import Finding, shown_path
from api.settings_source import rules_folder as folder_in_force
from engine.errors import IftahError, Refused
from engine.lang.forms import KINDS
from engine.lang.problems import Problem, Report, Span

if TYPE_CHECKING:
    from engine.cases import Outcome

app = commands()

Places = Annotated[
    list[Path] | None, typer.Argument(help="a folder of rule files, or files of one; IFTAH_RULES unless given")
]
Folder = Annotated[Path | None, typer.Argument(help="the folder of rule files; IFTAH_RULES unless given")]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles, at the end of the process too.

    What is read stays until the end, and looking through it again and again takes a fourth of a check.
    """
    on = gc.isenabled()
    gc.disable()
    atexit.register(gc.freeze)
    try:
        yield
    finally:
        if on:
            gc.enable()


@app.command(cls=PlainValues)
@_uncollected()
def check(
    places: Places = None,
    to: Annotated[
        Literal["text", "json", "sarif", "github"], typer.Option("--format", help="how what is wrong is shown")
    ] = "text",
) -> None:
    """Check rule files and run their cases: everything that is wrong, with its place and what to do."""
    from engine import cases

    found, said, count = list[Finding](), list[str](), 0
    for folder in _folders(places):
        texts, release, problems = rules_folder.checked(folder)
        if release:
            problems = findings.failing(cases.run(release, texts, schema(), kinds()))
            said.append(f"{len(texts)} files, no problem; release {release.id[:12]}")
        found += findings.found_in(folder, texts, problems)
        count += len(texts)
    if to != "text":
        print(findings.FORMATS[to](found))
    else:
        _show(found)
        for line in [f"{_counted(len(found), 'problem')} in {_counted(count, 'file')}"] if found else said:
            print(line)
    if found:
        raise typer.Exit(FAILED)


@app.command(cls=PlainValues)
@_uncollected()
def fmt(
    places: Places = None,
    look: Annotated[bool, typer.Option("--check", help="write nothing: name what would change, with status 1")] = False,
) -> None:
    """Write rule files in their one layout, with their comments. A file with a problem is left as it is."""
    found, changed, kept, wrong = list[Finding](), 0, 0, False
    for path in _files(places):
        try:
            text, new, problems = _laid_out(path)
        except IftahError as error:  # the other files still have their turn
            print(f"iftah: {error}", file=sys.stderr)
            wrong = True
            continue
        found += findings.found_in(path.parent, {path.name: text}, problems)
        if new is None or new == text:
            kept += 1
            continue
        changed += 1
        if not look:
            replace.write(path, new)
        print(f"{shown_path(path)} {'would be' if look else 'is'} laid out anew")
    _show(found)
    print(f"{_counted(changed, 'file')} {'to be ' if look else ''}laid out anew, {kept} left as they are")
    if wrong or found or (look and changed):
        raise typer.Exit(WRONG if wrong else FAILED)


@app.command("test", cls=PlainValues)
def run_cases(
    folder: Folder = None,
    to: Annotated[Path | None, typer.Option("--junit", help="write JUnit XML there too")] = None,
) -> None:
    """Run the cases beside the rules: how many come out in each file, and of the others what came instead."""
    from engine import cases

    place = folder or folder_in_force()
    texts, release, problems = rules_folder.checked(place)
    if release is None:
        _show(findings.found_in(place, texts, problems))
        print(f"{_counted(len(problems), 'problem')} in {_counted(len(texts), 'file')}: no case was run")
        raise typer.Exit(WRONG)
    outcomes = defaultdict[str, list["Outcome"]](list)
    for outcome in cases.run(release, texts, schema(), kinds()):
        outcomes[shown_path(place / outcome.at.file)].append(outcome)
    for file, of_file in outcomes.items():
        failed = [o for o in of_file if o.failures]
        print(f"{file}: {len(of_file) - len(failed)} of {len(of_file)} come out")
        for outcome in failed:
            print(f"  {file}:{outcome.at.line}:{outcome.at.column} {outcome.name}")
            for line in outcome.failures:
                print(f"    {findings.printable(line)}")
            for line in outcome.why:
                print(f"      {findings.printable(line)}")
    if to:
        from api.releases import junit  # its library takes long to import

        junit.write(to, outcomes)
    if any(o.failures for of_file in outcomes.values() for o in of_file):
        raise typer.Exit(FAILED)


@app.command("schema", cls=PlainValues)
def schema_(
    kind: Annotated[str | None, typer.Argument(help=f"{', '.join(KINDS)}; all of them unless given")] = None,
    to: Annotated[Path | None, typer.Option("--out", help="the folder to write KIND.json to")] = None,
) -> None:
    """Print the JSON Schema of a kind of rule file, or an object with that of each kind; with --out, write a file for each."""
    if kind is not None and kind not in KINDS:
        hint = f"use one of {', '.join(KINDS)}"
        raise Refused(f"`{kind}` is not a kind of rule file", where="schema", hint=hint, code="unknown_kind")
    if to is None:
        print(schema_text(kind) if kind else _text({each: _json_schema(each) for each in KINDS}), end="")
        return
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"cannot be made: {error.strerror}", where=str(to), code="not_written") from None
    for each in [kind] if kind else KINDS:
        replace.write(to / f"{each}.json", schema_text(each))
        print(shown_path(to / f"{each}.json"))


def schema_text(kind: str) -> str:
    """The JSON Schema of a kind, as its file holds it."""
    return _text(_json_schema(kind))


def _json_schema(kind: str) -> object:
    from engine.lang.json_schema import json_schema

    return json_schema(kind, schema())


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _show(found: list[Finding]) -> None:
    if found:
        out = console()
        for line in findings.as_text(found):
            out.print(line)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _folders(places: list[Path] | None) -> list[Path]:
    """The folders of rule files that are meant: that of a list is the one above."""
    found = dict[Path, None]()
    for place in places or [folder_in_force()]:
        if place.is_dir():
            found[place] = None
        elif place.exists():
            found[place.parent.parent if place.parent.name == "lists" else place.parent] = None
        else:
            raise Refused("there is no such file or folder", where=str(place), code="no_rules")
    return [*found]


def _files(places: list[Path] | None) -> Iterator[Path]:
    for place in places or [folder_in_force()]:
        if place.is_dir():
            yield from (path for _, path in rules_folder.rule_paths(place))
        elif place.exists():
            yield place
        else:
            raise Refused("there is no such file or folder", where=str(place), code="no_rules")


def _laid_out(path: Path) -> tuple[str, str | None, tuple[Problem, ...]]:
    """A file's text, what it would be, and what stands in the way."""
    from engine.lang.layout import formatted

    report = Report()
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        report.add("R008", f"byte {error.start} is not UTF-8", Span(path.name), "save the file as UTF-8")
        return "", None, report.ordered()
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}", where=str(path), code="no_rules") from None
    new = formatted(path.name, text, report)
    return text, new, report.ordered()
