"""What a proposal changes, and whom it moves, as it was measured and signed. We answer it unchanged, so you can check its hash."""

from pydantic import BaseModel, Field

from api.http.fields import MomentText, Money


class SwapMoves(BaseModel):
    """Numbers of people by direction. A direction without people may be missing."""

    more: int = Field(0, description="more is waived")
    less: int = Field(0, description="less is waived")
    other: int = Field(0, description="another outcome, with the same amount")


class SwapRow(SwapMoves):
    """The moves that one rule, band or reason accounts for."""

    name: str


class SwapGroup(SwapMoves):
    """The people of a group, and the moves among them."""

    people: int


class SwapCell(BaseModel):
    """Numbers of people by old and new outcome, or band."""

    old: str
    new: str
    count: int


class SwapPerson(BaseModel):
    """A person who is moved."""

    person: str
    old_outcome: str
    new_outcome: str
    old_waived: Money
    new_waived: Money
    account: str


class SwapFigures(BaseModel):
    """The figures of one perk, or of the bands of the score. Amounts are in minor units."""

    name: str
    currency: str
    amount: Money | None = Field(description="the deposit in the question; null: each perk's own")
    total: int = Field(description="people")
    moved: int
    moves: SwapMoves
    matrix: list[SwapCell]
    waived_before: Money
    waived_after: Money
    by_rule: list[SwapRow]
    by_band: list[SwapRow]
    by_reason: list[SwapRow]
    by_group: dict[str, dict[str, SwapGroup]] = Field(description="by grouping and group, without small groups")
    sample: list[SwapPerson] = Field(description="empty: a proposal shows nobody")


class SwapSet(BaseModel):
    """Whom a change of rules moves."""

    old: str
    new: str
    unit: str
    as_of: MomentText
    differences: list[str]
    changes: list[str]
    bands: SwapFigures | None
    perks: list[SwapFigures]


class Effect(BaseModel):
    """What a proposal changes, against the release that was in force when it was measured."""

    old: str | None = Field(description="the release in force; null: none")
    new: str
    differences: list[str] = Field(description="of the files, a line each")
    lost_changes: list[str] = Field(
        description="what came into force since the text was written, and what the proposal would undo"
    )
    swap: SwapSet | None = Field(description="null: nothing has been built, or nothing is in force")
    needs_build: list[str] = Field(description="why the newest build cannot serve it; build first then")
