"""Check: from rule files to a release, or to everything that is wrong with them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from engine.lang.canonical import canonical
from engine.lang.check_perks import check_perks
from engine.lang.check_scorecard import check_scorecard
from engine.lang.guard import Guard
from engine.lang.parse import parse
from engine.lang.problems import Problem, Report, RulesError, Span
from engine.lang.program import Release
from engine.lang.resolve import Scope
from engine.lang.syntax import CasesFile, PerksFile, PolicyFile, ReasonsFile, RuleFile, ScorecardFile
from engine.lang.types import Schema

LANGUAGE: Final = 2  # what the same text means; part of a release's name
NEEDED: Final[dict[type, tuple[str, str]]] = {
    ScorecardFile: ("trust.yaml", "scorecard"),
    PerksFile: ("perks.yaml", "perks"),
    ReasonsFile: ("reasons.yaml", "reasons"),
    PolicyFile: ("policy.yaml", "policy"),
}
FOLLOWING: Final = {"R011", "R204", "R205", "R206", "R207", "R209"}  # a total, or a name, that an unread line may hold


def check(files: Mapping[str, str], schema: Schema) -> tuple[Release | None, tuple[Problem, ...]]:
    """The release that `files` (name -> text) mean under the catalogue's `schema`; None when anything is wrong."""
    report = Report()
    parsed = {name: parse(name, text, report) for name, text in sorted(files.items())}
    found = {kind: _only(kind, parsed, report) for kind in NEEDED}
    card, perks = found[ScorecardFile], found[PerksFile]
    reasons, policy = found[ReasonsFile], found[PolicyFile]
    if not (
        isinstance(card, ScorecardFile)
        and isinstance(perks, PerksFile)
        and isinstance(reasons, ReasonsFile)
        and isinstance(policy, PolicyFile)
    ):
        return None, report.ordered()
    read = len(report.problems)
    codes = frozenset(w.text for w, _ in reasons.reasons)
    guard = Guard(policy, schema, report)
    guard.catalogue()
    scope = Scope(schema, {w.text: e for w, e in card.define}, report)
    scorecard = check_scorecard(card, scope, guard, codes)
    meant = check_perks(perks, schema, scorecard, guard, codes, report)
    if read:  # lines are missing: what may follow from that alone is not told
        report.problems[read:] = [p for p in report.problems[read:] if p.code not in FOLLOWING]
    if report.problems:
        return None, report.ordered()
    wording = {w.text: {"en": r.en.text} | ({"zh": r.zh.text} if r.zh else {}) for w, r in reasons.reasons}
    deciding = {n: files[n] for n, f in sorted(parsed.items()) if type(f) in NEEDED}
    release = Release(_name(deciding), deciding, schema, scorecard, meant, wording, guard.relationships())
    return release, ()


def release_of(files: Mapping[str, str], schema: Schema) -> Release:
    """The release, or RulesError with every problem."""
    release, problems = check(files, schema)
    if release is None:
        raise RulesError(problems)
    return release


def cases_in(files: Mapping[str, str]) -> dict[str, CasesFile]:
    """The files of cases among `files`; what cannot be read in them is left to `check`."""
    parsed = {name: parse(name, text, Report()) for name, text in sorted(files.items())}
    return {name: file for name, file in parsed.items() if isinstance(file, CasesFile)}


def _only(kind: type, parsed: Mapping[str, RuleFile | None], report: Report) -> RuleFile | None:
    """The one file of a kind. When a file does not parse, it may have been that one: nothing is said of it then."""
    usual, word = NEEDED[kind]
    found = [n for n, f in parsed.items() if isinstance(f, kind)]
    if not found and None not in parsed.values():
        report.add("R014", f"there is no file of the kind `{word}`", Span(usual), f"add {usual} with `kind: {word}`")
    for name in found[1:]:
        report.add("R014", f"`{found[0]}` is of the kind `{word}` already", Span(name), "one file of a kind")
    return parsed[found[0]] if found else None


def _name(files: Mapping[str, str]) -> str:
    """A release's name: the hash of what its files say, whatever their comments and layout."""
    said = {name: canonical(text) for name, text in sorted(files.items())}
    named = json.dumps([LANGUAGE, said], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(named.encode()).hexdigest()
