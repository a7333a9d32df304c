"""Write cases for the branches that no case tries. We run each before we return it: it passes, and tries its branch."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Final

from engine.decide import scorecard
from engine.decide.orders import transition_from
from engine.errors import IftahError
from engine.lang.check.evidence import event_kinds
from engine.lang.check.orders import schema_of
from engine.lang.check.periods import iso_date
from engine.lang.check.release import cases_in
from engine.lang.engines.reference import evaluate
from engine.lang.model.conditions import AS_OF, Values
from engine.lang.model.currencies import CURRENCY_DIGITS
from engine.lang.model.problems import Report
from engine.lang.model.program import AMOUNT, ORDERS_STAGE, SCORE, Program, Release
from engine.lang.model.types import (
    DATE,
    DAY,
    Kinds,
    Schema,
    Type,
    Value,
    day_of,
    extend_schema,
    format_value,
)
from engine.lang.syntax.ast import CasesFile
from engine.lang.syntax.formatter import format_text
from engine.lang.syntax.parse import parse
from engine.lang.syntax.scalars import scalar_text
from engine.verify.branches import SCORABLE, RuleBranch
from engine.verify.case_search import CaseDraft, find_cases, first_outcome, reading_days
from engine.verify.case_values import is_of_request, micros_of, read_values
from engine.verify.cases import run_case
from engine.verify.coverage import BranchCoverage
from engine.verify.event_search import EventDraft

MAX_WRITTEN: Final = 20  # drafts of one branch that we write and run
MAX_OTHER_DAYS: Final = 3  # days on which we look for a case, beside that of the file of cases
DEFAULT_DAY: Final = 20_454  # 2026-01-01: where no file of cases has a day of the period
STATUS_KEYS: Final = {"met": "met", "not met": "not_met", "unknown": "unknown"}


@dataclass(frozen=True)
class WrittenCase:
    """A case that tries `branches`, as the text of an item under `cases`, for the file of cases `file`.

    `head` is what the file needs before the item, if there is no such file, or no case in it yet.
    """

    file: str
    head: str
    text: str
    branches: frozenset[RuleBranch]
    since: int | None


def write_cases(
    release: Release, files: Mapping[str, str], kinds: Kinds, items: Iterable[BranchCoverage]
) -> list[tuple[BranchCoverage, WrittenCase | None]]:
    """For each branch, a case that tries it, or None if we found none. A case can try several branches.

    `files` include the files of cases. `kinds` are those of `check`.
    """
    own_kinds = event_kinds(release.evidence, kinds) if release.evidence else kinds
    cases_files, written, branches = cases_in(files), list[WrittenCase](), list(items)
    for item in branches:
        if _trying(written, item) is None:
            programs = (p for p in release.programs if p.since in item.periods)
            tries = (_written_case(release, p, cases_files, own_kinds, item) for p in programs)
            written += islice(filter(None, tries), 1)
    # only now: a later case may try a branch for which we found none of its own
    return [(item, _trying(written, item)) for item in branches]


def _trying(written: Iterable[WrittenCase], item: BranchCoverage) -> WrittenCase | None:
    """The first of these cases that tries the branch."""
    return next((case for case in written if case.since in item.periods and item.branch in case.branches), None)


def _written_case(
    release: Release, program: Program, cases_files: Mapping[str, CasesFile], kinds: Kinds, item: BranchCoverage
) -> WrittenCase | None:
    file = _file_name(item.at.file, cases_files)
    target = cases_files.get(file)
    day = _day(release, program, [target, *cases_files.values()])
    base = _base_values(program, item.branch, target)
    writer, days = _CaseWriter(program, target, day, base), [day, *_other_days(release, program, day)]
    for number, draft in enumerate(find_cases(program, kinds, item.branch, days, base)):
        if number == MAX_WRITTEN:
            return None
        text = writer.text(draft, kinds)
        branches = _run(release, target, text, kinds)
        if item.branch in branches:
            head = "" if target and target.cases else "cases:\n"
            head = head if target else f"kind: cases\nas_of: {iso_date(day)}\n{head}"
            return WrittenCase(file, head, text, branches, program.since)
    return None


def _file_name(rule_file: str, cases_files: Mapping[str, CasesFile]) -> str:
    """The file of cases beside a rule file; another one if only that exists."""
    usual = f"{rule_file.removesuffix('.yaml')}.cases.yaml"
    return usual if usual in cases_files else next(iter(cases_files), usual)


def _day(release: Release, program: Program, cases_files: Iterable[CasesFile | None]) -> int:
    """A day of the period: that of a file of cases, the first one if possible."""
    end = next((b.since for a, b in pairwise(release.programs) if a is program), None)
    dates = [day_of(file.as_of.text) for file in cases_files if file and file.as_of]
    days = [day for day in dates if day is not None and release.at(day) is program]
    if days or (end is None and program.since is None):
        return days[0] if days else DEFAULT_DAY
    return program.since if program.since is not None else (end or 0) - 1


def _other_days(release: Release, program: Program, day: int) -> list[int]:
    """Further days of the period, at which a condition on `as_of` can turn."""
    days = (n for n in reading_days(program) if DATE.low <= n <= DATE.high and n != day)
    return sorted(n for n in days if release.at(n) is program)[:MAX_OTHER_DAYS]


def _base_values(program: Program, branch: RuleBranch, target: CasesFile | None) -> dict[str, Value | None]:
    """The values from which each case of the file starts. Without those of the file if they do not fit the rules."""
    perk = _perk_schema(program, branch)
    nodes = {key.text: (key, node) for key, node in target.base} if target else {}
    request = {name: pair for name, pair in nodes.items() if is_of_request(name)}
    try:
        return {
            **read_values(program.schema, nodes, program.timezone),
            **read_values(perk, request, program.timezone),
        }
    except IftahError:
        return {}


def _perk_schema(program: Program, branch: RuleBranch) -> Schema:
    """The fields of the request of the perk that has the branch."""
    ids = {perk: {k.id for k in perk.knockouts} | {t.id for t in perk.tiers} for perk in program.perks}
    fields = (perk.request for perk, own in ids.items() if branch.id in own and branch.kind in ("knock-out", "tier"))
    return {a.name: a for a in next(fields, ())}


def _run(release: Release, target: CasesFile | None, text: str, kinds: Kinds) -> frozenset[RuleBranch]:
    """The branches that the written case tries; none if it fails."""
    file = parse("new.cases.yaml", f"kind: cases\ncases:\n{text}", Report())
    if not isinstance(file, CasesFile) or len(file.cases) != 1:
        return frozenset()
    if target:
        file = replace(file, as_of=target.as_of, base=target.base)
    outcome = run_case(release, file, file.cases[0], kinds)
    return frozenset() if outcome.failures else outcome.branches


@dataclass(frozen=True)
class _CaseWriter:
    """Writes drafts as items of a file of cases."""

    program: Program
    target: CasesFile | None
    day: int
    base: Values

    def text(self, draft: CaseDraft, kinds: Kinds) -> str:
        """The item, in the layout of `iftah fmt`."""
        fields = [f"name: {_scalar(_name(draft.branch))}", *self._as_of(draft), *self._question(draft, kinds)]
        fields.append(f"expect: {_flow(_expectation(self.program, draft))}")
        head = "kind: cases\ncases:\n"
        item = "  - " + "\n    ".join(fields) + "\n"
        text = format_text("new.cases.yaml", head + item, Report())
        is_one_line = text is None or text.startswith(f"{head}  - {{")  # other cases of a file are rarely that short
        return item if is_one_line or text is None else text.removeprefix(head)

    def _as_of(self, draft: CaseDraft) -> Iterator[str]:
        as_of = self.target.as_of if self.target else None
        if as_of is None or day_of(as_of.text) != draft.day:
            yield f"as_of: {iso_date(draft.day)}"

    def _question(self, draft: CaseDraft, kinds: Kinds) -> Iterator[str]:
        if draft.is_order:
            orders = self.program.orders
            assert orders  # noqa: S101 - the draft is of an order
            yield f"order: {_flow(_value_texts(draft.values, schema_of(orders.states, orders.events)))}"
            return
        if draft.perk:
            yield f"perk: {draft.perk.id}"
            yield f"score: {draft.score}"
            yield f"amount: {format_value(draft.amount, draft.perk.money)}"
        schema = extend_schema(self.program.schema, *(draft.perk.request if draft.perk else ()))
        changes = {n: v for n, v in draft.values.items() if n != AS_OF and v != self.base.get(n)}
        if changes:
            yield f"given: {_flow(_value_texts(changes, schema))}"
        if draft.events:
            yield "events:" + "".join(f"\n      - {self._event(e, kinds)}" for e in draft.events)

    def _event(self, event: EventDraft, kinds: Kinds) -> str:
        days = {micros_of(self.program.start_of(d)) // 1_000_000: d for d in _days_near(event.at)}
        moment = iso_date(days[event.at]) if event.at in days else format_value(event.at, Type("timestamp"))
        role = {} if event.role == "subject" else {"role": event.role}
        fields = _value_texts({n: v for n, v in event.fields.items() if v is not None}, kinds[event.kind].fields)
        return _flow({"event": event.kind, "on": moment, **role, **({"with": _flow(fields)} if fields else {})})


def _days_near(second: int) -> range:
    return range(second // DAY - 1, second // DAY + 2)


def _value_texts(values: Values, schema: Schema) -> dict[str, str]:
    """The values as scalars of a file of cases. An amount brings its currency along."""
    currencies = {schema[name].currency for name, value in values.items() if name in schema and value is not None}
    return {
        name: _scalar(_value_text(value, schema[name].type, values.get(schema[name].currency)))
        for name, value in values.items()
        if name in schema and name != AS_OF and name not in currencies
    }


def _value_text(value: Value | None, type_: Type, currency: Value | None) -> str:
    if value is None:
        return "missing"
    if currency is not None:
        type_ = Type("money", CURRENCY_DIGITS[str(currency)], currency=str(currency))
    return format_value(value, type_)


def _expectation(program: Program, draft: CaseDraft) -> dict[str, str]:
    """The results of the case, by the reference evaluator."""
    branch = draft.branch
    status = {STATUS_KEYS[branch.result]: f"[{branch.id}]"}
    if branch.kind == "flag":
        return {"raised" if branch.result == "met" else "not_raised": f"[{branch.id}]"}
    if draft.is_order:
        assert program.orders  # noqa: S101 - the draft is of an order
        transition = transition_from(program.orders, evaluate(program.stages[ORDERS_STAGE], draft.values))
        return {"to": transition.to, **status} if transition.to else {"code": transition.code, **status}
    if draft.perk:
        outcome = first_outcome(draft.perk, {**draft.values, SCORE: draft.score, AMOUNT: draft.amount}, draft.amount)
        because = {"because": f"[{', '.join(outcome.because)}]"} if outcome.outcome == "DECLINE" else {}
        waived = format_value(outcome.waived, draft.perk.money)
        return {"outcome": outcome.outcome, "waived": waived, **because, **status}
    result = scorecard.score(program.scorecard, evaluate(program.stages[SCORE], draft.values), program.relationships)
    score = (
        {"outcome": "UNSCORABLE"} if result.score is None else {"score": str(result.score), "band": str(result.band)}
    )
    has_status = branch.kind == "rule" or (branch.kind == "bin" and branch.id != SCORABLE and "#" not in branch.id)
    return {**score, **(status if has_status else {}), "reasons": f"[{', '.join(result.reasons)}]"}


def _name(branch: RuleBranch) -> str:
    words = {
        "bin": {
            "met": f"bin {branch.id.partition('#')[2]} of {branch.line_id}",
            "unknown": f"{branch.id} without a value",
        },
        "tier": {"met": f"{branch.id} waives"},
        "flag": {"met": f"{branch.id} is raised", "not met": f"{branch.id} is not raised"},
        "refusal": {"met": f"{branch.id} refuses"},
        "move": {"met": f"{branch.id} happens"},
    }
    return words.get(branch.kind, {}).get(branch.result, f"{branch.id} is {branch.result}")


def _flow(scalars: Mapping[str, str]) -> str:
    """A table between braces, of scalars, lists and tables that are written already."""
    return "{" + ", ".join(f"{_scalar(key)}: {text}" for key, text in scalars.items()) + "}"


def _scalar(text: str) -> str:
    return scalar_text(text).flow or scalar_text(text, quote=True).block
