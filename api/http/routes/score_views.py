"""A person's score, its reasons, its changes and the least change that raises it, for the person and for the operator."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from api.decisions.score_explanation import ScoreExplanation
from api.http.fields import DataClass
from api.people import person
from api.people.languages import choose_language
from api.people.person import Recourse


class Reason(BaseModel):
    """A reason for lost points, or for an answer other than ADMIT."""

    code: str
    text: str


class Dimension(BaseModel):
    """The points of one dimension of the scorecard, and its maximum."""

    name: str
    points: int
    best: int


class ScoreBand(BaseModel):
    """A range of scores, up to the next band."""

    name: str
    lowest: int


class MyScore(BaseModel):
    """Your score, and the reasons why it is not higher."""

    person: str
    score: int | None = Field(description="null: we know too little, see the reasons")
    band: str | None
    lowest: int
    highest: int
    bands: list[ScoreBand] = Field(description="all bands of the scorecard, the lowest first")
    base: int = Field(description="the points with which each person begins")
    dimensions: list[Dimension]
    reasons: list[Reason]
    consents_to: list[DataClass] = Field(description="classes of evidence that we use, by your own consent")
    linked_ids: list[str] = Field(description="all of your ids, if we read several as one person; else empty")
    as_of: datetime
    computed_at: datetime
    release: str = Field(description="the rules in force")

    @classmethod
    def of(cls, explanation: ScoreExplanation, language: str | None) -> Self:
        """The score as a person may see it."""
        card, program, score = explanation.program.scorecard, explanation.program, explanation.result
        words = choose_language(language, program.languages)
        names = dict.fromkeys(part.dimension for part in score.parts)
        parts = {name: [p for p in score.parts if p.dimension == name] for name in names}
        return cls(
            person=explanation.person,
            score=score.score,
            band=score.band,
            lowest=card.lowest,
            highest=card.highest,
            bands=[ScoreBand(name=band.name, lowest=band.lowest) for band in card.bands],
            base=card.base,
            dimensions=[
                Dimension(name=n, points=sum(p.points for p in group), best=sum(p.baseline for p in group))
                for n, group in parts.items()
            ],
            reasons=[Reason(code=c, text=person.wording(program, c, words)) for c in score.reasons],
            consents_to=sorted(explanation.classes),
            linked_ids=list(explanation.linked),
            as_of=explanation.build.as_of,
            computed_at=explanation.build.computed_at,
            release=program.release,
        )


class PastScore(BaseModel):
    """A score that differs from the previous one."""

    at: datetime
    score: int | None
    band: str | None
    release: str


class RecourseStep(BaseModel):
    """One change."""

    feature: str
    characteristics: list[str] = Field(description="the lines of the scorecard that read the feature")
    now: int | str | bool | None = Field(
        description="the stored value: decimals as whole numbers of their last digit; null: missing"
    )
    reach: int
    text: str


class RecourseAnswer(BaseModel):
    """The change with the fewest and easiest steps to the target. `new_score` is the engine's own result for it."""

    score: int | None
    target: int
    reached: bool = Field(
        description="false: no few steps reach the target or the perk's other conditions; these come nearest to the score"
    )
    steps: list[RecourseStep]
    new_score: int | None
    new_band: str | None

    @classmethod
    def of(cls, plan: Recourse) -> Self:
        """The plan and its words."""
        best = plan.plan
        steps = [
            RecourseStep(feature=s.feature, characteristics=list(s.items), now=s.before, reach=s.after, text=text)
            for s, text in zip(best.steps, plan.words, strict=True)
        ]
        return cls(
            score=plan.explanation.result.score,
            target=best.target,
            reached=best.reached,
            steps=steps,
            new_score=best.scored.score,
            new_band=best.scored.band,
        )
