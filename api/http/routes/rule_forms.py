"""Forms of the routes for people who write rules."""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from api.http.fields import PLAIN, BriefText, Money, PartyId, PerkId, StatementText
from api.http.large_forms import form_schemas
from api.http.routes.proposal_forms import MAX_FILES, FileName, RuleFiles, StrictForm

Place = Annotated[int, Field(ge=1, le=10**7)]
DraftNumber = Annotated[int, Field(ge=1, le=10**9)]
LanguageTag = Annotated[str, Field(pattern="^[a-z]{2,3}(-[A-Za-z]{2,4})?$")]
EditorId = Annotated[str, Field(pattern="^[0-9a-f]{8,32}$")]
DraftName = Annotated[str, Field(pattern=PLAIN, min_length=1, max_length=100)]
ValueText = Annotated[str, Field(max_length=200)]
SomeFiles = Annotated[dict[FileName, str], Field(max_length=MAX_FILES)]
_ALL: Final = "the text of each rule file by its name; with `draft` or `release`, only those that differ"


class FilesForm(StrictForm):
    """Rule files: all of them, or those that lie over a draft or over the release in force."""

    files: SomeFiles = Field(default_factory=dict, description=_ALL)
    draft: DraftNumber | None = Field(None, description="the draft over whose files they lie")
    release: bool = Field(False, description="whether they lie over the files of the release in force")

    @model_validator(mode="after")
    def _one_base(self) -> Self:
        if self.draft is not None and self.release:
            raise ValueError("is either over a draft or over the release")
        return self


class CheckForm(FilesForm):
    """Rule files to check."""

    cases: list[FileName] | None = Field(
        None, max_length=MAX_FILES, description="the files of cases to run; null: all of them"
    )


class PlaceForm(FilesForm):
    """A place in one of the files, counted in lines and characters from 1."""

    file: FileName
    line: Place
    column: Place
    language: LanguageTag = Field("en", description="of the meanings")


class AssessmentForm(FilesForm):
    """The person on whom we try the rules: a real one, for a purpose, or the values of a made-up one."""

    person: PartyId | None = None
    purpose: StatementText | None = Field(
        None, description="why you look at a real person: it stays on record, and the person can read it"
    )
    values: Annotated[dict[BriefText, ValueText], Field(max_length=500)] = Field(
        default_factory=dict, description="values by feature or flag, written as in a case: 0.85, 90d, true, missing"
    )
    amounts: Annotated[dict[PerkId, Money], Field(max_length=100)] = Field(
        default_factory=dict, description="the deposit by perk, in minor units; without one, the most"
    )
    language: LanguageTag = Field("en", description="of the reasons")


class DraftForm(StrictForm):
    """A new draft."""

    name: DraftName
    files: RuleFiles | None = Field(None, description="null: those of the release in force")


class DraftChange(StrictForm):
    """Changed files of a draft, over the version that you read."""

    version: DraftNumber
    files: Annotated[dict[FileName, str | None], Field(max_length=MAX_FILES)] = Field(
        description="the texts that differ; null takes a file out"
    )


class DraftPresence(StrictForm):
    """An open page that edits a draft."""

    editor: EditorId = Field(description="random, and the same as long as the page is open")


SCHEMAS: Final = form_schemas(FilesForm, CheckForm, PlaceForm, AssessmentForm, DraftForm, DraftChange)
