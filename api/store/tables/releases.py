"""The release log: every step of every change of rules, each chained to the step before it by its hash. Nothing is ever altered.

What is long stays outside the log, named by its own SHA-256: the files of a proposal, and the report of whom it moves.
"""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from api.store.tables.evidence import SEQ


class ReleaseLogRow(SQLModel, table=True):
    """One step: the kind, the party that took it, and its content as canonical JSON."""

    __tablename__: ClassVar[str] = "release_log"
    __table_args__ = (UniqueConstraint("hash", name="one_step_per_hash"), {"sqlite_autoincrement": True})

    seq: int | None = Field(default=None, primary_key=True, sa_type=SEQ)
    kind: str
    actor: str  # a party; `iftah` for the system itself
    at: int = Field(sa_type=BigInteger)
    proposal: int | None = None
    content: str
    key: str | None = None  # the fingerprint of the key that signed it
    signature: str | None = None  # Ed25519, hex
    previous_hash: str
    hash: str


class ReleaseObjectRow(SQLModel, table=True):
    """A JSON text that the log names by its SHA-256."""

    __tablename__: ClassVar[str] = "release_objects"

    hash: str = Field(primary_key=True)
    text: str


class TrialAnswerRow(SQLModel, table=True):
    """What one arm of a trial answered to a question, and in how much time. In a shadow, both arms have a row; no merchant sees that of
    the candidate. We delete it at the person's erasure.
    """

    __tablename__: ClassVar[str] = "trial_answers"
    __table_args__ = (Index("answers_of_trial", "proposal", "stage"),)

    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})  # of the decision
    arm: str = Field(primary_key=True)  # champion or candidate
    proposal: int
    stage: int  # -1 in a shadow
    release: str
    outcome: str
    waived: int = Field(sa_type=BigInteger)
    currency: str
    score: int | None = None
    reasons: str  # codes, by commas
    micros: int = Field(sa_type=BigInteger)  # of the rules alone


RELEASE_LOG: Final = SQLModel.metadata.tables["release_log"]
RELEASE_OBJECTS: Final = SQLModel.metadata.tables["release_objects"]
TRIAL_ANSWERS: Final = SQLModel.metadata.tables["trial_answers"]
