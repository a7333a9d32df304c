"""Check: from rule files to a release, or to everything that is wrong with them."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from datetime import date
from typing import Any, Final, TypeVar

from engine.lang import canonical
from engine.lang.check_orders import check_orders
from engine.lang.check_perks import Around, check_perks
from engine.lang.check_scorecard import check_scorecard
from engine.lang.check_watch import attributes, check_watch
from engine.lang.editions import EDITIONS, NEWEST, Edition
from engine.lang.guard import Guard
from engine.lang.identifiers import flaw, skeleton
from engine.lang.lines import (
    CasesFile,
    Dated,
    DatedFile,
    ListFile,
    OrdersFile,
    PerksFile,
    PolicyFile,
    ReasonsFile,
    RuleFile,
    ScorecardFile,
    WatchFile,
)
from engine.lang.parse import parse, parsed
from engine.lang.problems import Problem, Report, RulesError, Span
from engine.lang.program import Program, Release
from engine.lang.resolve import Scope
from engine.lang.source import Node
from engine.lang.syntax import Word
from engine.lang.timezones import UTC_NAME
from engine.lang.truths import AS_OF
from engine.lang.types import DATE, EPOCH, Attribute, Kinds, Schema, day_of

LOCAL_DATES: Final = 3  # the first version in which a date that meets a moment is of the policy's time zone
MOST_DAYS: Final = 32  # on which something begins or ends: each makes a program of its own
NEEDED: Final[dict[type, tuple[str, str]]] = {
    ScorecardFile: ("trust.yaml", "scorecard"),
    PerksFile: ("perks.yaml", "perks"),
    ReasonsFile: ("reasons.yaml", "reasons"),
    PolicyFile: ("policy.yaml", "policy"),
}
OPTIONAL: Final[dict[type, str]] = {WatchFile: "watch", OrdersFile: "orders"}
FOLLOWING: Final = {"R011", "R204", "R205", "R206", "R207", "R209"}  # a total, or a name, that an unread line may hold
Line = TypeVar("Line", bound=Dated)
Files = Mapping[str, DatedFile | None]


def check(
    files: Mapping[str, str], schema: Schema, kinds: Kinds | None = None, edition: Edition = NEWEST
) -> tuple[Release | None, tuple[Problem, ...]]:
    """The release that `files` (name -> text) mean; None when anything is wrong.

    `schema` are the features of the catalogue, `kinds` the events that patterns can name.
    """
    report = Report(language=edition.language)
    read = {name: parsed(name, text, report) for name, text in sorted(files.items())}
    dated = {name: file for name, (_, file) in read.items() if not isinstance(file, CasesFile)}
    lines = [line for file in dated.values() if file for line in _lines(file)]
    for line in lines:
        _ascend(line, report)
    _one_zone([file for file in dated.values() if isinstance(file, PolicyFile)], report)
    days = sorted({d for line in lines for w in (line.since, line.until) if (d := _day(w)) is not None})
    if len(days) > MOST_DAYS:
        word = max((w for line in lines for w in (line.since, line.until) if w), key=lambda w: w.text)
        text = f"things begin or end on {len(days)} days, of {MOST_DAYS} at most"
        report.add("R017", text, word.at, "take out what has ended long ago")
        days = []
    deciding = {n: files[n] for n, f in sorted(dated.items()) if f}
    programs = [_program(dated, since, schema, kinds or {}, report) for since in (None, *days)]
    whole = [p for p in programs if p]
    if report.problems or len(whole) < len(programs):
        return None, report.ordered()
    name = _name({n: read[n][0] for n in deciding}, edition)
    return Release(name, deciding, tuple(replace(p, release=name) for p in whole)), ()


def _program(files: Files, since: int | None, schema: Schema, kinds: Kinds, whole: Report) -> Program | None:
    """What the files mean from a day on. Problems that only come up on that day say so."""
    report = Report(language=whole.language)
    try:
        held = {n: _in_force(f, since) if f else None for n, f in files.items() if f is None or _holds(f, since)}
        return _meant(held, files, since, schema, kinds, report, bool(whole.problems))
    finally:
        known = {(p.code, p.at) for p in whole.problems}
        for problem in report.problems:
            if (problem.code, problem.at) not in known:
                later = f", from {_written(since)} on" if since is not None else ""
                whole.problems.append(replace(problem, message=problem.message + later))


def _meant(
    held: Files, files: Files, since: int | None, schema: Schema, kinds: Kinds, report: Report, unread: bool
) -> Program | None:
    found = {kind: _only(kind, held, files, report) for kind in (*NEEDED, *OPTIONAL)}
    card, perks = found[ScorecardFile], found[PerksFile]
    reasons, policy = found[ReasonsFile], found[PolicyFile]
    watch, orders = found[WatchFile], found[OrdersFile]
    if not (
        isinstance(card, ScorecardFile)
        and isinstance(perks, PerksFile)
        and isinstance(reasons, ReasonsFile)
        and isinstance(policy, PolicyFile)
    ):
        return None
    report.timezone = policy.timezone.text if report.language >= LOCAL_DATES else UTC_NAME
    lists = _lists(held, report)
    patterns = (
        check_watch(watch, kinds, lists, Guard(policy, schema, report), report) if isinstance(watch, WatchFile) else ()
    )
    everything = {**schema, **attributes(patterns)}
    guard = Guard(policy, everything, report)
    guard.catalogue()
    guard.classes(kinds, (*card.consent, *perks.consent, *(watch.consent if isinstance(watch, WatchFile) else ())))
    codes = frozenset(w.text for w, _ in reasons.reasons)
    _wording(reasons, report)
    nameable = {**everything, AS_OF: Attribute(AS_OF, DATE)}
    scope = Scope(nameable, {w.text: e for w, e in card.define}, report, lists)
    scorecard = check_scorecard(card, scope, guard, codes)
    meant = check_perks(perks, Around(nameable, lists, scorecard, guard, codes, report))
    life = check_orders(orders, report) if isinstance(orders, OrdersFile) else None
    if unread:  # lines are missing: what may follow from that alone is not told
        report.problems[:] = [p for p in report.problems if p.code not in FOLLOWING]
    wording = {w.text: {language.text: said.text for language, said in said_} for w, said_ in reasons.reasons}
    languages = tuple(w.text for w in reasons.languages)
    related = guard.relationships()
    return Program(
        "", since, everything, scorecard, meant, wording, languages, related, patterns, life, policy.timezone.text
    )


def _lines(line: Dated) -> Iterator[Dated]:
    """The line, and every line in it that can begin and end by itself."""
    yield line
    for field in fields(line):
        value = getattr(line, field.name)
        if isinstance(value, tuple):
            for item in value:
                if isinstance(item, Dated):
                    yield from _lines(item)


def _ascend(line: Dated, report: Report) -> None:
    since, until = _day(line.since), _day(line.until)
    if since is not None and until is not None and line.until and since >= until:
        text = f"this ends on {_written(until)}, and begins on {_written(since)}"
        report.add("R016", text, line.until.at, "`until` is the first day on which it no longer holds")


def _one_zone(policies: list[PolicyFile], report: Report) -> None:
    """A day begins once: which program is in force is asked by the day, and so is nothing that a program can say."""
    for file in policies[1:]:
        if file.timezone.text != policies[0].timezone.text:
            text = f"`{file.timezone.text}` is not the time zone of {policies[0].at.file}"
            report.add("R013", text, file.timezone.at, f"write `{policies[0].timezone.text}` in both, or change both")


def _in_force(line: Line, day: int | None) -> Line:
    """The line without what in it does not hold on the day; None: before all days of change."""
    changes: dict[str, Any] = {}
    for field in fields(line):
        value = getattr(line, field.name)
        if isinstance(value, tuple) and any(isinstance(item, Dated) for item in value):
            changes[field.name] = tuple(_in_force(item, day) for item in value if _holds(item, day))
    return replace(line, **changes)


def _holds(line: Dated, day: int | None) -> bool:
    since, until = _day(line.since), _day(line.until)
    begun = since is None or (day is not None and since <= day)
    return begun and (until is None or day is None or day < until)


def _day(word: Word | None) -> int | None:
    return day_of(word.text) if word else None


def _written(day: int) -> str:
    return date.fromordinal(EPOCH.toordinal() + day).isoformat()


def _lists(held: Files, report: Report) -> dict[str, ListFile]:
    found: dict[str, ListFile] = {}
    for file in held.values():
        if isinstance(file, ListFile):
            if file.id.text in found:
                text = f"the list `{file.id.text}` stands twice"
                report.add("R015", text, file.id.at, f"it is in {found[file.id.text].id.at.file} already")
            found[file.id.text] = file
            _entries(file, report)
    return found


def _entries(file: ListFile, report: Report) -> None:
    """Each entry is one that nobody can take for another, and stands once, however it is written."""
    seen = dict[str, str]()
    for entry in file.entries:
        text, at = entry.value.text, entry.value.at
        if said := flaw(text):
            report.add("R013", f"`{text[:60]}` {said.partition(':')[0]}", at, said.partition(": ")[2])
        before = seen.setdefault(skeleton(text), text)
        if before is not text:
            other = "" if before == text else ", but for what cannot be seen"
            report.add("R015", f"`{text[:60]}` stands twice{other}", at, "remove one")


def _wording(file: ReasonsFile, report: Report) -> None:
    """Each reason is worded in each of the file's languages, and in no other."""
    wanted = [w.text for w in file.languages]
    for code, said in file.reasons:
        have = {language.text for language, _ in said}
        for language in wanted:
            if language not in have:
                report.add("R210", f"the reason `{code.text}` has no wording in `{language}`", code.at, "add it")
        for word, _ in said:
            if word.text not in wanted:
                text = f"`{word.text}` is not among the file's languages"
                report.add("R210", text, word.at, "name it in `languages`, and word every reason in it")


def release_of(files: Mapping[str, str], schema: Schema, kinds: Kinds | None = None) -> Release:
    """The release, or RulesError with every problem."""
    release, problems = check(files, schema, kinds)
    if release is None:
        raise RulesError(problems)
    return release


def stored_release(name: str, files: Mapping[str, str], schema: Schema, kinds: Kinds | None = None) -> Release:
    """The release that was stored under a name, read by the edition in which its files have that name.

    Has another name when they have it in none: they are not what was stored. Raises RulesError when they do not check.
    """
    edition = next((e for e in EDITIONS if _name_in(e, files) == name), NEWEST)
    release, problems = check(files, schema, kinds, edition)
    if release is None:
        raise RulesError(problems)
    return release


def _name_in(edition: Edition, files: Mapping[str, str]) -> str | None:
    """The name that an edition gives to files; None when it cannot read them."""
    report = Report(language=edition.language)
    read = {name: parsed(name, text, report) for name, text in files.items()}
    roots = {name: root for name, (root, file) in read.items() if not isinstance(file, CasesFile)}
    return None if report.problems else _name(roots, edition)


def cases_in(files: Mapping[str, str]) -> dict[str, CasesFile]:
    """The files of cases among `files`; what cannot be read in them is left to `check`."""
    parsed = {name: parse(name, text, Report()) for name, text in sorted(files.items())}
    return {name: file for name, file in parsed.items() if isinstance(file, CasesFile)}


def _only(kind: type, held: Files, files: Files, report: Report) -> RuleFile | None:
    """The one file of a kind that holds. When a file does not parse, it may have been that one: nothing is said of it then."""
    usual, word = NEEDED.get(kind, (f"{OPTIONAL.get(kind)}.yaml", OPTIONAL.get(kind, "")))
    found = [n for n, f in held.items() if isinstance(f, kind)]
    if not found and kind in NEEDED and None not in files.values():
        other = next((f for f in files.values() if isinstance(f, kind)), None)
        begins = (other.since or other.until) if isinstance(other, Dated) else None
        at = begins.at if begins else Span(usual)
        hint = "let one file of the kind hold at any time" if other else f"add {usual} with `kind: {word}`"
        report.add("R014", f"there is no file of the kind `{word}`" + (" in force" if other else ""), at, hint)
    for name in found[1:]:
        report.add("R014", f"`{found[0]}` is of the kind `{word}` already", Span(name), "one file of a kind")
    return held[found[0]] if found else None


def _name(roots: Mapping[str, Node | None], edition: Edition) -> str:
    """A release's name: the hash of what its files say, whatever their comments and layout."""
    every = {name: canonical.said(root, as_written=edition.as_written) for name, root in sorted(roots.items())}
    named = json.dumps([edition.language, every], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(named.encode()).hexdigest()
