"""Compile rule files to a release, or report every problem in them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from engine.lang.check.evidence import check_evidence, event_kinds
from engine.lang.check.feature_parts import FeatureContext
from engine.lang.check.features import check_features, extended_schema
from engine.lang.check.guardrails import Guardrails
from engine.lang.check.orders import check_orders
from engine.lang.check.patterns import check_watch, flag_attributes
from engine.lang.check.periods import change_days, check_dates_ascend, dated_lines, holds, in_force, iso_date
from engine.lang.check.perks import PerkContext, check_perks
from engine.lang.check.rates import check_rates
from engine.lang.check.resolve import Scope
from engine.lang.check.scorecard import check_scorecard
from engine.lang.model.conditions import AS_OF
from engine.lang.model.editions import EDITIONS, NEWEST, Edition
from engine.lang.model.features import DeclaredFeature
from engine.lang.model.identifiers import flaw, skeleton
from engine.lang.model.patterns import Pattern
from engine.lang.model.problems import Problem, Report, RulesError, SourceSpan
from engine.lang.model.program import Program, Release
from engine.lang.model.timezones import UTC_NAME
from engine.lang.model.types import DATE, Attribute, Kinds, Schema, extend_schema, without_money
from engine.lang.syntax import canonical
from engine.lang.syntax.ast import (
    CasesFile,
    DatedFile,
    ListFile,
    OrdersFile,
    PerksFile,
    PolicyFile,
    RatesFile,
    ReasonsFile,
    ScorecardFile,
    WatchFile,
)
from engine.lang.syntax.evidence_ast import EvidenceFile
from engine.lang.syntax.feature_lines import FeaturesFile
from engine.lang.syntax.parse import parse, parse_with_tree
from engine.lang.syntax.source import Node

LOCAL_DATES_VERSION: Final = 3  # since this version, a date compared with a moment is read in the policy's time zone
MAX_CHANGE_DAYS: Final = 32  # days on which something begins or ends: each makes a program of its own
REQUIRED_KINDS: Final[dict[type, tuple[str, str]]] = {
    ScorecardFile: ("trust.yaml", "scorecard"),
    PerksFile: ("perks.yaml", "perks"),
    ReasonsFile: ("reasons.yaml", "reasons"),
    PolicyFile: ("policy.yaml", "policy"),
}
OPTIONAL_KINDS: Final[dict[type, str]] = {
    WatchFile: "watch",
    OrdersFile: "orders",
    EvidenceFile: "evidence",
    FeaturesFile: "features",
    RatesFile: "rates",
}
# Problems of totals and names. A line that we could not read may hold the missing part, so we do not report them then.
CONSEQUENT_CODES: Final = {"R011", "R204", "R205", "R206", "R207", "R209"}
Files = Mapping[str, DatedFile | None]
FileKind = TypeVar("FileKind", bound=DatedFile)


@dataclass(frozen=True)
class _Catalogue:
    """The names that rules can use and that no rule file declares: features, and kinds of events."""

    schema: Schema
    kinds: Kinds


@dataclass(frozen=True)
class _FilesInForce:
    """The files of one day, by kind."""

    scorecard: ScorecardFile
    perks: PerksFile
    reasons: ReasonsFile
    policy: PolicyFile
    watch: WatchFile | None
    orders: OrdersFile | None
    evidence: EvidenceFile | None
    features: FeaturesFile | None
    rates: RatesFile | None
    lists: tuple[ListFile, ...]


def check(
    files: Mapping[str, str], schema: Schema, kinds: Kinds | None = None, edition: Edition = NEWEST
) -> tuple[Release | None, tuple[Problem, ...]]:
    """Compile `files` (name -> text) to a release; None if there is any problem. Problems are sorted by place.

    `schema` holds the features of the catalogue, `kinds` the events that patterns can name.
    """
    report = Report(language=edition.language)
    documents = {name: parse_with_tree(name, text, report) for name, text in sorted(files.items())}
    rule_files = {name: file for name, (_, file) in documents.items() if not isinstance(file, CasesFile)}
    days = _check_periods(rule_files, report)
    rule_texts = {name: files[name] for name, file in sorted(rule_files.items()) if file}
    catalogue = _Catalogue(schema, kinds or {})
    programs = [_program_since(rule_files, since, catalogue, report) for since in (None, *days)]
    complete = [p for p in programs if p]
    if report.problems or len(complete) < len(programs):
        return None, report.sorted_problems()
    name = _release_hash({n: documents[n][0] for n in rule_texts}, edition)
    return Release(name, rule_texts, tuple(replace(p, release=name) for p in complete)), ()


def _check_periods(files: Files, report: Report) -> list[int]:
    """The days on which something in the files begins or ends; none if there are too many, which is reported."""
    lines = [line for file in files.values() if file for line in dated_lines(file)]
    for line in lines:
        check_dates_ascend(line, report)
    _check_one_timezone([file for file in files.values() if isinstance(file, PolicyFile)], report)
    days = change_days(lines)
    if len(days) <= MAX_CHANGE_DAYS:
        return days
    word = max((w for line in lines for w in (line.since, line.until) if w), key=lambda w: w.text)
    text = f"rules begin or end on {len(days)} days, of {MAX_CHANGE_DAYS} at most"
    report.add("R017", text, word.at, "take out rules that ended long ago")
    return []


def _program_since(files: Files, since: int | None, catalogue: _Catalogue, release_report: Report) -> Program | None:
    """The program from a day on. The message of a problem that first occurs on that day names the day."""
    report = Report(language=release_report.language)
    selected = _select_files(files, since, report)
    program = _build_program(selected, since, catalogue, report) if selected else None
    if selected and release_report.problems:  # some lines may be missing
        report.problems[:] = [p for p in report.problems if p.code not in CONSEQUENT_CODES]
    reported_problems = {(p.code, p.at) for p in release_report.problems}
    for problem in report.problems:
        if (problem.code, problem.at) not in reported_problems:
            suffix = f", from {iso_date(since)} on" if since is not None else ""
            release_report.problems.append(replace(problem, message=problem.message + suffix))
    return program


def _select_files(files: Files, since: int | None, report: Report) -> _FilesInForce | None:
    """The files in force from a day on; None if a required kind is missing, or has more than one file."""
    current = {
        name: in_force(file, since) if file else None for name, file in files.items() if _is_current(file, since)
    }
    scorecard = _file_of_kind(ScorecardFile, current, files, report)
    perks = _file_of_kind(PerksFile, current, files, report)
    reasons = _file_of_kind(ReasonsFile, current, files, report)
    policy = _file_of_kind(PolicyFile, current, files, report)
    watch = _file_of_kind(WatchFile, current, files, report)
    orders = _file_of_kind(OrdersFile, current, files, report)
    evidence = _file_of_kind(EvidenceFile, current, files, report)
    features = _file_of_kind(FeaturesFile, current, files, report)
    rates = _file_of_kind(RatesFile, current, files, report)
    if scorecard is None or perks is None or reasons is None or policy is None:
        return None
    lists = tuple(file for file in current.values() if isinstance(file, ListFile))
    return _FilesInForce(scorecard, perks, reasons, policy, watch, orders, evidence, features, rates, lists)


def _is_current(file: DatedFile | None, since: int | None) -> bool:
    return file is None or holds(file, since)


def _build_program(files: _FilesInForce, since: int | None, catalogue: _Catalogue, report: Report) -> Program:
    """Check the files against each other and build the program. Problems go into `report`."""
    policy, card = files.policy, files.scorecard
    report.timezone = policy.timezone.text if report.language >= LOCAL_DATES_VERSION else UTC_NAME
    rates = check_rates(files.rates, report) if files.rates else None
    report.rates = rates
    lists = _lists(files.lists, report)
    catalogue = catalogue if report.has_money else _without_money(catalogue)
    evidence = check_evidence(files.evidence, report) if files.evidence else None
    if evidence:
        catalogue = replace(catalogue, kinds=event_kinds(evidence, catalogue.kinds))
        catalogue = catalogue if report.has_money else _without_money(catalogue)
    patterns = _patterns(files, lists, catalogue, report)
    features = _features(files, lists, catalogue, report)
    schema = {**extended_schema(catalogue.schema, features), **flag_attributes(patterns)}
    guard = Guardrails(policy, schema, report)
    guard.check_catalogue(features)
    guard.check_classes(
        catalogue.kinds, [word for file in (card, files.perks, files.watch) if file for word in file.consent]
    )
    codes = frozenset(w.text for w, _ in files.reasons.reasons)
    _check_wording(files.reasons, report)
    named_attributes = extend_schema(schema, Attribute(AS_OF, DATE))
    scope = Scope(named_attributes, {w.text: e for w, e in card.define}, report, lists)
    scorecard = check_scorecard(card, scope, guard, codes)
    return Program(
        release="",  # `check` sets it, once all programs are built
        since=since,
        schema=schema,
        scorecard=scorecard,
        perks=check_perks(files.perks, PerkContext(named_attributes, lists, scorecard, guard, codes, report)),
        reasons={w.text: {language.text: word.text for language, word in by} for w, by in files.reasons.reasons},
        languages=tuple(w.text for w in files.reasons.languages),
        relationships=guard.relationship_features(),
        watch=patterns,
        orders=check_orders(files.orders, report) if files.orders else None,
        timezone=policy.timezone.text,
        evidence=evidence,
        declarations=features,
        rates=rates.of(report.converted) if rates and report.converted else None,
    )


def _without_money(catalogue: _Catalogue) -> _Catalogue:
    """The catalogue in the language before amounts had currencies: money is a whole number of minor units."""
    kinds = {n: replace(k, fields=without_money(k.fields)) for n, k in catalogue.kinds.items()}
    return _Catalogue(without_money(catalogue.schema), kinds)


def _features(
    files: _FilesInForce, lists: dict[str, ListFile], catalogue: _Catalogue, report: Report
) -> dict[str, DeclaredFeature]:
    if files.features is None:
        return {}
    guard = Guardrails(files.policy, catalogue.schema, report)
    return check_features(files.features, FeatureContext(catalogue.kinds, lists, guard, catalogue.schema, report))


def _patterns(
    files: _FilesInForce, lists: dict[str, ListFile], catalogue: _Catalogue, report: Report
) -> tuple[Pattern, ...]:
    if files.watch is None:
        return ()
    guard = Guardrails(files.policy, catalogue.schema, report)
    return check_watch(files.watch, catalogue.kinds, lists, guard, report)


def _check_one_timezone(policies: list[PolicyFile], report: Report) -> None:
    """All policies of a release have the same time zone: we must know the day before we can select the program."""
    for file in policies[1:]:
        if file.timezone.text != policies[0].timezone.text:
            text = f"`{file.timezone.text}` is not the time zone of {policies[0].at.file}"
            report.add("R013", text, file.timezone.at, f"write `{policies[0].timezone.text}` in both, or change both")


def _lists(files: Sequence[ListFile], report: Report) -> dict[str, ListFile]:
    lists: dict[str, ListFile] = {}
    for file in files:
        if file.id.text in lists:
            text = f"the list `{file.id.text}` occurs twice"
            report.add("R015", text, file.id.at, f"it is in {lists[file.id.text].id.at.file} already")
        lists[file.id.text] = file
        _check_entries(file, report)
    return lists


def _check_entries(file: ListFile, report: Report) -> None:
    """Each entry looks like no other entry, and occurs once in any spelling."""
    by_skeleton = dict[str, str]()
    for entry in file.entries:
        text, at = entry.value.text, entry.value.at
        if defect := flaw(text):
            report.add("R013", f"`{text[:60]}` {defect.partition(':')[0]}", at, defect.partition(": ")[2])
        earlier = by_skeleton.setdefault(skeleton(text), text)
        if earlier is not text:
            other = "" if earlier == text else ", except for invisible differences"
            report.add("R015", f"`{text[:60]}` occurs twice{other}", at, "remove one")


def _check_wording(file: ReasonsFile, report: Report) -> None:
    """Each reason has a wording in each of the file's languages, and in no other."""
    languages = [w.text for w in file.languages]
    for code, wordings in file.reasons:
        present = {language.text for language, _ in wordings}
        for language in languages:
            if language not in present:
                report.add("R210", f"the reason `{code.text}` has no wording in `{language}`", code.at, "add it")
        for word, _ in wordings:
            if word.text not in languages:
                text = f"`{word.text}` is not among the file's languages"
                report.add("R210", text, word.at, "name it in `languages`, and word every reason in it")


def release_of(files: Mapping[str, str], schema: Schema, kinds: Kinds | None = None) -> Release:
    """Compile `files` to a release. Raises RulesError with every problem."""
    release, problems = check(files, schema, kinds)
    if release is None:
        raise RulesError(problems)
    return release


def stored_release(name: str, files: Mapping[str, str], schema: Schema, kinds: Kinds | None = None) -> Release:
    """Compile a stored release by the edition in which its files have the name under which it was stored.

    If the result has another name, no edition gives that name: the files are not the ones that we stored. Raises
    RulesError if the files have problems.
    """
    fitting = [edition for edition in EDITIONS if _name_in(edition, files) == name]
    results = [check(files, schema, kinds, edition) for edition in fitting[:1] or EDITIONS]
    release = next((release for release, _ in results if release), None)
    if release is None:
        raise RulesError(results[0][1])
    return release


def _name_in(edition: Edition, files: Mapping[str, str]) -> str | None:
    """The name that an edition gives to the files; None if it cannot read them."""
    report = Report(language=edition.language)
    read = {name: parse_with_tree(name, text, report) for name, text in files.items()}
    roots = {name: root for name, (root, file) in read.items() if not isinstance(file, CasesFile)}
    return None if report.problems else _release_hash(roots, edition)


def cases_in(files: Mapping[str, str]) -> dict[str, CasesFile]:
    """The files of cases among `files`. We leave problems in them to `check`."""
    parsed_files = {name: parse(name, text, Report()) for name, text in sorted(files.items())}
    return {name: file for name, file in parsed_files.items() if isinstance(file, CasesFile)}


def _file_of_kind(kind: type[FileKind], current: Files, files: Files, report: Report) -> FileKind | None:
    """The one file of a kind in force. We report no missing file while any file is unreadable: it may be that one."""
    usual_name, word = REQUIRED_KINDS.get(kind, (f"{OPTIONAL_KINDS.get(kind)}.yaml", OPTIONAL_KINDS.get(kind, "")))
    matches = {name: file for name, file in current.items() if isinstance(file, kind)}
    if not matches and kind in REQUIRED_KINDS and None not in files.values():
        other = next((f for f in files.values() if isinstance(f, kind)), None)
        date_word = (other.since or other.until) if other else None
        at = date_word.at if date_word else SourceSpan(usual_name)
        hint = "let one file of the kind hold at any time" if other else f"add {usual_name} with `kind: {word}`"
        report.add("R014", f"there is no file of the kind `{word}`" + (" in force" if other else ""), at, hint)
    first, *extra = matches or [""]
    for name in extra:
        report.add("R014", f"`{first}` is of the kind `{word}` already", SourceSpan(name), "one file of a kind")
    return matches.get(first)


def _release_hash(roots: Mapping[str, Node | None], edition: Edition) -> str:
    """The name of a release: the hash of the content of its files, without comments and layout."""
    contents = {
        name: canonical.canonical_tree(root, as_written=edition.as_written) for name, root in sorted(roots.items())
    }
    payload = json.dumps([edition.language, contents], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(payload.encode()).hexdigest()
