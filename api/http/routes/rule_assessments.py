"""What the rules of a draft say of one person, line by line, and whom they move: answers of the routes for rules."""

from datetime import datetime
from typing import Self, cast

from pydantic import BaseModel, Field

from api.http.fields import LineSort, Money, Outcome
from api.http.routes.rule_answers import RuleSpan
from api.http.routes.swap_figures import SwapSet
from api.proposals.authoring import Trying
from engine.authoring.assessment import AssessedLine, PerkAnswer
from engine.lang.engines.trace import Atom
from engine.lang.model.types import format_value


class ComparisonAnswer(BaseModel):
    """One comparison of a condition, with the value that was there."""

    text: str
    met: bool | None = Field(description="null: unknown, since a value is missing")
    value: str
    distance: str = Field(
        description="the change of the value that would turn the result; empty: there is no such number"
    )

    @classmethod
    def of(cls, atom: Atom) -> Self:
        """The public view of a comparison."""
        return cls(text=atom.text, met=atom.status, value=atom.value, distance=atom.distance)


class AssessedLineAnswer(BaseModel):
    """A line of the rules for the person."""

    id: str
    sort: LineSort
    part: str = Field(description="the dimension, or the perk, that it belongs to")
    met: bool | None = Field(description="null: unknown, since a value is missing")
    points: int | None = Field(description="null: the line gives none")
    value: str = Field(description="of the feature of a characteristic; else empty")
    at: RuleSpan | None = Field(description="the place of its id")
    met_at: RuleSpan | None = Field(
        description="the place of what counts: the points of a bin, or the line that is met"
    )
    comparisons: list[ComparisonAnswer]
    unknown: list[str] = Field(description="the names that made it unknown")

    @classmethod
    def of(cls, line: AssessedLine) -> Self:
        """The public view of a line."""
        return cls(
            id=line.id,
            sort=cast(LineSort, line.sort),
            part=line.of,
            met=line.status,
            points=line.points,
            value=line.value,
            at=line.at and RuleSpan.of(line.at),
            met_at=line.met_at and RuleSpan.of(line.met_at),
            comparisons=[ComparisonAnswer.of(atom) for atom in line.comparisons],
            unknown=list(line.unknown),
        )


class AssessedPerk(BaseModel):
    """The answer about a perk. Amounts are in minor units."""

    perk: str
    currency: str
    amount: Money = Field(description="the deposit in the question")
    outcome: Outcome
    waived: Money
    deposit: Money
    tier: str | None
    because: list[str]

    @classmethod
    def of(cls, answer: PerkAnswer) -> Self:
        """The public view of an answer."""
        outcome = answer.answer
        return cls(
            perk=answer.perk.id,
            currency=answer.perk.currency,
            amount=answer.amount,
            outcome=outcome.outcome,
            waived=outcome.waived,
            deposit=outcome.deposit,
            tier=outcome.tier,
            because=list(outcome.because),
        )


class ReasonWording(BaseModel):
    """A reason, and its wording in the language of the question."""

    code: str
    text: str


class ReadValue(BaseModel):
    """A name that the rules read, and the person's value; empty: it is missing."""

    name: str
    type: str
    value: str


class RuleAssessment(BaseModel):
    """What the rules say of a person: the score, the perks, and each line. Nothing of it is recorded as a decision."""

    as_of: datetime
    score: int | None
    band: str | None
    reasons: list[ReasonWording]
    base: int
    perks: list[AssessedPerk]
    lines: list[AssessedLineAnswer]
    values: list[ReadValue] = Field(description="of each feature and flag that the rules read")
    missing: list[str] = Field(description="names that these rules read, and that nobody has computed yet")

    @classmethod
    def of(cls, trying: Trying, language: str) -> Self:
        """The public view of a try, with the reasons in a language."""
        result, program = trying.assessment.result, trying.program
        wordings = {
            code: texts.get(language) or next(iter(texts.values()), "") for code, texts in program.reasons.items()
        }
        types = {name: program.schema[name].type for name in program.reads}
        values = {name: trying.values.get(name) for name in types}
        return cls(
            as_of=trying.as_of,
            score=result.score,
            band=result.band,
            reasons=[ReasonWording(code=code, text=wordings.get(code, "")) for code in result.reasons],
            base=program.scorecard.base,
            perks=[AssessedPerk.of(answer) for answer in trying.assessment.perks],
            lines=[AssessedLineAnswer.of(line) for line in trying.assessment.lines],
            values=[
                ReadValue(name=n, type=str(t), value="" if values[n] is None else format_value(values[n], t))
                for n, t in types.items()
            ],
            missing=list(trying.missing),
        )


class RuleMeasurement(BaseModel):
    """Whom rule files move against the release in force."""

    swap: SwapSet
    needs_build: list[str] = Field(description="why the newest build cannot serve them; build first then")
