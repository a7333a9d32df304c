"""What the routes for people who write rules answer: problems, cases, names that fit, and drafts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from api.features.distributions import ValueSpread
from api.http.fields import ProblemSeverity
from api.http.routes.page import Page
from api.proposals.authoring import DraftNames
from api.proposals.rule_drafts import DraftEditor, RuleDraft
from engine.authoring.completion import Completion
from engine.authoring.explanation import WordMeaning
from engine.authoring.options import Option
from engine.lang.model.problems import Problem, SourceSpan
from engine.verify.cases import CaseOutcome


class RuleSpan(BaseModel):
    """A place in a rule file, counted from 1."""

    file: str
    line: int
    column: int
    length: int = Field(description="in characters")

    @classmethod
    def of(cls, at: SourceSpan) -> Self:
        """The public view of a place."""
        return cls(file=at.file, line=at.line, column=at.column, length=at.length)


class RulesInForce(BaseModel):
    """The rule files in force."""

    release: str
    files: dict[str, str]


class RuleProblem(BaseModel):
    """A problem of the checker, with its place."""

    at: RuleSpan
    severity: ProblemSeverity
    code: str
    message: str
    hint: str

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """The public view of a problem."""
        return cls(
            at=RuleSpan.of(problem.at),
            severity=problem.severity,
            code=problem.code,
            message=problem.message,
            hint=problem.hint,
        )


class CaseResult(BaseModel):
    """A case: green without failures."""

    name: str
    at: RuleSpan
    failures: list[str]
    explanation: list[str] = Field(description="what the values came to, if it failed")


class CaseFileResult(BaseModel):
    """The cases of a file."""

    file: str
    green: int
    red: int
    cases: list[CaseResult]

    @classmethod
    def of(cls, file: str, outcomes: Sequence[CaseOutcome]) -> Self:
        """The outcomes of a file."""
        red = sum(bool(o.failures) for o in outcomes)
        cases = [
            CaseResult(name=o.name, at=RuleSpan.of(o.at), failures=list(o.failures), explanation=list(o.explanation))
            for o in outcomes
        ]
        return cls(file=file, green=len(outcomes) - red, red=red, cases=cases)


class RuleCheck(BaseModel):
    """The problems of rule files, by place; without any, the release that they are and their cases."""

    release: str | None
    problems: list[RuleProblem]
    cases: list[CaseFileResult] | None = Field(description="null: the files have problems, so no case was run")


class ValueShare(BaseModel):
    """A word and how many of the people with a value have it."""

    value: str
    percent: int


class ValueDistribution(BaseModel):
    """How the values of a feature lie in the newest build, among at most 20,000 people."""

    people: int
    missing: int
    quantiles: list[str] = Field(
        description="5, 25, 50, 75 and 95 percent of the values are at most these; empty for words"
    )
    shares: list[ValueShare] = Field(description="of the most frequent words; empty for numbers")

    @classmethod
    def of(cls, distribution: ValueSpread) -> Self:
        """The public view of a distribution."""
        shares = [ValueShare(value=value, percent=percent) for value, percent in distribution.shares]
        return cls(
            people=distribution.people,
            missing=distribution.missing,
            quantiles=list(distribution.quantiles),
            shares=shares,
        )


class CompletionOption(BaseModel):
    """A text that fits, with its meaning."""

    label: str
    apply: str = Field(description="what to insert")
    kind: str = Field(description="key, name, word, list, field, operator or keyword")
    detail: str = Field(description="its type and bounds, in a few words")
    lines: list[str] = Field(description="its meaning")
    boost: int = Field(description="a higher one comes first")
    distribution: ValueDistribution | None

    @classmethod
    def of(cls, option: Option, distribution: ValueSpread | None) -> Self:
        """The public view of an option."""
        return cls(
            label=option.label,
            apply=option.apply,
            kind=option.kind,
            detail=option.detail,
            lines=list(option.lines),
            boost=option.boost,
            distribution=distribution and ValueDistribution.of(distribution),
        )


class RuleCompletion(BaseModel):
    """What fits at a place. The options replace the text from `column` up to the place."""

    line: int
    column: int
    options: list[CompletionOption]

    @classmethod
    def of(cls, completion: Completion, vocabulary: DraftNames) -> Self:
        """The public view of a completion."""
        options = [CompletionOption.of(o, vocabulary.distributions.get(o.label)) for o in completion.options]
        return cls(line=completion.line, column=completion.column, options=options)


class RuleExplanationAnswer(BaseModel):
    """The meaning of a word in a rule file."""

    line: int
    column: int
    length: int
    word: str
    lines: list[str] = Field(description="empty: we know no meaning")
    distribution: ValueDistribution | None

    @classmethod
    def of(cls, explanation: WordMeaning, word: str, vocabulary: DraftNames) -> Self:
        """The public view of an explanation."""
        distribution = vocabulary.distributions.get(word) if explanation.lines else None
        return cls(
            line=explanation.line,
            column=explanation.column,
            length=explanation.length,
            word=word,
            lines=list(explanation.lines),
            distribution=distribution and ValueDistribution.of(distribution),
        )


class DraftSummary(BaseModel):
    """A draft of rules, without its files."""

    id: int
    owner: str
    name: str
    version: int
    base: str = Field(description="the release from which it began")
    created_at: datetime
    saved_at: datetime
    saved_by: str

    @classmethod
    def of(cls, draft: RuleDraft) -> Self:
        """The public view of a draft."""
        return cls(**{name: getattr(draft, name) for name in DraftSummary.model_fields})


class DraftAnswer(DraftSummary):
    """A draft of rules."""

    files: dict[str, str]

    @classmethod
    def of(cls, draft: RuleDraft) -> Self:
        """The public view of a draft with its files."""
        summary = DraftSummary.of(draft)
        return cls(**summary.model_dump(), files=dict(draft.files))


class Drafts(Page[DraftSummary]):
    """Drafts of everyone, newest first."""


class DraftEditorAnswer(BaseModel):
    """Another page that has the draft open."""

    party: str
    is_you: bool = Field(description="whether it is yours, in another window")
    seen_at: datetime


class DraftPresenceAnswer(BaseModel):
    """The newest version of a draft, and the other pages that have it open."""

    version: int
    saved_at: datetime
    saved_by: str
    editors: list[DraftEditorAnswer]

    @classmethod
    def of(cls, draft: RuleDraft, editors: Iterable[DraftEditor], party: str) -> Self:
        """The public view of who has a draft open."""
        pages = [DraftEditorAnswer(party=e.party, is_you=e.party == party, seen_at=e.seen_at) for e in editors]
        return cls(version=draft.version, saved_at=draft.saved_at, saved_by=draft.saved_by, editors=pages)


def case_results(outcomes: Mapping[str, Sequence[CaseOutcome]]) -> list[CaseFileResult]:
    """The results of all files of cases."""
    return [CaseFileResult.of(file, outcomes[file]) for file in outcomes]
