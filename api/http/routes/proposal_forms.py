"""Forms of the routes for changes of rules."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from api.http.fields import PLAIN, BreakAction, Moment, PartyId, PerkId, RecordId, StatementText
from api.http.large_forms import form_schemas
from api.proposals.activations import MAX_HOURS

MAX_FILES: Final = 500
FileName = Annotated[str, Field(pattern=PLAIN, max_length=200)]
RuleFiles = Annotated[
    dict[FileName, str],
    Field(
        min_length=1,
        max_length=MAX_FILES,
        description="the text of each rule file by its name in the folder, such as `lists/partners.yaml`; "
        "all files, with the cases, in at most 4,000,000 characters",
    ),
]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]  # SHA-256, hex
Fingerprint = Annotated[str, Field(pattern="^[0-9a-f]{16}$", description="of a key: see GET /v1/keys")]
Signature = Annotated[str, Field(pattern="^[0-9a-f]{128}$", description="Ed25519, hex")]
NumberText = Annotated[str, Field(max_length=20, pattern=r"^-?[0-9.]+%?$")]
WholeNumber = Annotated[int, Field(ge=1, le=10**9)]


class StrictForm(BaseModel):
    """A form without fields of other names."""

    model_config = ConfigDict(extra="forbid", strict=True)


class RolloutStage(StrictForm):
    """A share of people, until so many hours have passed and so many answers are given."""

    share: NumberText = Field(description="of people", examples=["5%"])
    hours: WholeNumber | None = None
    answers: WholeNumber | None = None


class RolloutGuard(StrictForm):
    """The bounds of a measure, compared with the release in force: percentages, and a number for `score_psi`."""

    least: NumberText | None = Field(None, examples=["-5%"])
    most: NumberText | None = Field(None, examples=["5%"])


class RolloutGuards(StrictForm):
    """The guards of a plan, by measure."""

    admit_rate: RolloutGuard | None = None
    unscorable_rate: RolloutGuard | None = None
    dispute_rate: RolloutGuard | None = None
    waived: RolloutGuard | None = None
    latency: RolloutGuard | None = None
    score_psi: RolloutGuard | None = None


class RolloutPlan(StrictForm):
    """The plan of a partial release. A key that you leave out has a default; the answer shows it."""

    stages: list[RolloutStage] | None = Field(None, min_length=1, max_length=20)
    guards: RolloutGuards | None = None
    perks: list[PerkId] | None = Field(None, max_length=100, description="the perks on trial; without any, all")
    merchants: list[PartyId] | None = Field(None, max_length=1000, description="without any, all")
    on_break: BreakAction | None = None
    confidence: NumberText | None = Field(None, examples=["99%"])


class ProposalForm(StrictForm):
    """All rule files as you want them, the reason, and perhaps a plan."""

    files: RuleFiles
    message: StatementText = Field(description="why: it stays on record")
    plan: RolloutPlan | None = Field(None, description="null: for everyone at once")

    @property
    def plan_value(self) -> Any:
        """The plan as `engine.rollout.plan` reads it."""
        return None if self.plan is None else self.plan.model_dump(exclude_none=True)


class BreakGlassForm(StrictForm):
    """All rule files that you put into force alone, the reason, and for how long."""

    files: RuleFiles
    hours: int = Field(4, ge=1, le=MAX_HOURS, description="after which it ends by itself")
    reason: StatementText


class SignatureForm(StrictForm):
    """A signature of `text_to_sign`, in UTF-8, as the proposal shows it."""

    manifest: Hash = Field(description="`manifest_hash` of the proposal that you read")
    key: Fingerprint
    signature: Signature


class ReasonForm(StrictForm):
    """A reason, which stays on record."""

    reason: StatementText


class ScheduleForm(StrictForm):
    """The time at which a proposal comes into force."""

    at: Moment = Field(description="a later time")


class RollbackForm(StrictForm):
    """The release to which we go back."""

    reason: StatementText
    to: RecordId | None = Field(
        None, description="its id, or the beginning of it; null: the one before that in force", examples=["5f2b"]
    )


class KeyForm(StrictForm):
    """Your public key, and your signature as proof that you hold the private half."""

    public: Hash = Field(description="the public key of Ed25519, hex")
    signature: Signature = Field(
        description="of the text `iftah.key.1`, a line feed, and "
        '`{"content":{"party":PARTY,"public":PUBLIC,"role":ROLE},"proposal":null}`, in UTF-8; '
        "party and role are those of your token, as JSON texts"
    )


SCHEMAS: Final = form_schemas(ProposalForm, BreakGlassForm)  # FastAPI does not see these bodies
