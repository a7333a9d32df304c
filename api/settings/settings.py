"""Settings: read once, from the environment (`IFTAH_` and a setting's name in capitals) and from one file, `iftah.toml`.

The environment wins. The file is the one in the working directory, or the one that `IFTAH_CONFIG` names.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from api.settings.source import (
    DATA,
    HINT,
    PREFIX,
    ROOT,
    RULES,
    VAR,
    config_path,
    file_settings,
    make_var,
    unknown_settings,
)
from engine.errors import Rejected
from engine.lang.model.identifiers import flaw

SECRET_WORDS: Final = ("token", "secret", "password")  # we never show a setting with one of these words in its name


class Settings(BaseSettings):
    """The settings of an operator. We report every problem at once, by the variable's name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    database_url: str = Field(f"sqlite:///{VAR / 'iftah.db'}", description="where the ledger is kept")
    rules: Path = Field(RULES, description="the folder of rule files")
    releases: Literal["auto", "approved", "folder"] = Field(
        "auto",
        description="who releases rules: `approved`: two people, by proposals; `folder`: one person, by the folder; "
        "`auto`: two people as soon as two parties have a key",
    )
    key: Path | None = Field(None, description="the file of the private key with which you sign proposals")
    anchors: Path = Field(
        VAR / "anchors", description="the folder that keeps the newest step of the release log outside the database"
    )
    operators_webhook: str = Field(
        "", description="where operators are told of releases, trials and guards that break; http or https"
    )
    operators_webhook_secret: str | None = Field(
        None, min_length=24, description="the key of its signatures, by Standard Webhooks: `whsec_` and base64"
    )
    datasets_dir: Path = Field(DATA, description="the folder of public data sets")
    seed_evidence: Literal["auto", "berka", "town", "import"] = Field(
        "auto", description="what an empty database is filled with; import: `seed_file`, by `seed_map`"
    )
    seed_file: Path = Field(Path("events.csv"), description="the file to import into an empty database")
    seed_map: Path = Field(Path("map.yaml"), description="the map by which to import it")
    town_people: int = Field(2_000, ge=1, le=2_000_000, description="how many people the synthetic town has")
    town_seed: int = Field(1, ge=0, description="the seed of the synthetic town")
    demo_activity: bool = Field(
        default=True,
        description="whether `iftah run` and `demo` simulate three months of activity in a new database of demo data",
    )
    host: str = Field("127.0.0.1", description="the address to serve on")
    port: int = Field(8000, ge=1, le=65535, description="the port to serve on")
    workers: int = Field(1, ge=1, le=64, description="how many processes serve; more than one needs PostgreSQL")
    rate_limit: str = Field("6000/minute", description="requests of one token: 100/second, 6000/minute; 0: any number")
    rate_limit_failures: str = Field(
        "60/minute", description="tokens from one address that are not valid, before it must wait; 0: any number"
    )
    rate_limit_storage: str = Field(
        "memory://", description="where requests are counted; several processes count together in redis://host:6379"
    )
    oidc_issuer: str = Field("", description="another issuer of tokens: its `iss`, exactly")
    oidc_audience: str = Field("", description="the `aud` that its tokens have for this service")
    oidc_jwks_url: str = Field("", description="where it publishes its keys; https")
    oidc_role_claim: str = Field("iftah_role", min_length=1, description="the claim that holds the role")
    oidc_party_claim: str = Field("iftah_party", min_length=1, description="the claim that holds the party")
    oidc_authorize_url: str = Field("", description="where it signs people in for the pages; https")
    oidc_token_url: str = Field("", description="where we exchange its code for a token; https")
    oidc_client_id: str = Field("", description="the name by which it knows this service")
    oidc_client_secret: str = Field("", repr=False, description="the secret of that name, if it has one")
    public_url: str = Field(
        "", description="the address of the pages as browsers see it, such as https://iftah.example"
    )
    allow_private_callbacks: bool = Field(
        default=False, description="for development: callbacks may go to http, loopback and private addresses"
    )
    consent_purpose: str = Field("perks", pattern="^[a-z][a-z_]*$", description="the purpose that people consent to")
    log_format: Literal["auto", "text", "json"] = Field(
        "auto", description="how the log is written; `auto`: text on a terminal, else a JSON object a line"
    )
    metrics_token: str | None = Field(
        None, min_length=16, description="what must be sent to read `/metrics`; without one only this machine may"
    )
    report_smallest_group: int = Field(20, ge=2, description="people of the smallest group that a yearly report shows")

    @field_validator("oidc_issuer", "oidc_audience", "oidc_role_claim", "oidc_party_claim")
    @classmethod
    def _identifier(cls, value: str) -> str:
        """Reject invisible characters in values that we compare."""
        if value and (problem := flaw(value)):
            raise ValueError(problem)
        return value

    @field_validator("town_people", "town_seed", "port", "workers", "report_smallest_group", mode="before")
    @classmethod
    def _no_bool(cls, value: object) -> object:
        """Reject a TOML `true` where a number belongs: Pydantic takes it for 1, so we hand it on as text."""
        return str(value).lower() if isinstance(value, bool) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - it is called by these names
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_path())


@dataclass(frozen=True)
class EffectiveSetting:
    """A setting as it may be shown: its value without anything secret, and where it is from."""

    name: str
    value: str
    source: str
    about: str


def settings() -> Settings:
    """The settings in force. Raises Rejected with every problem in one line."""
    unknown = [*unknown_settings()]
    try:
        result = Settings()
    except ValidationError as error:
        problems = [
            _problem(str(e["loc"][0]), e["input"], e["msg"]) for e in error.errors() if e["type"] != "extra_forbidden"
        ]
        raise Rejected("; ".join([*unknown, *problems]), where="settings", hint=HINT, code="bad_setting") from None
    if unknown:
        raise Rejected("; ".join(unknown), where="settings", hint=HINT, code="bad_setting")
    if str(VAR) in result.database_url:
        make_var()
    return result


def effective_settings(current: Settings) -> list[EffectiveSetting]:
    """Every setting with its value and its source. We leave out passwords in URLs and whole secrets."""
    environment_names, file_values = {name.upper() for name, value in os.environ.items() if value}, file_settings()
    effective = []
    for name, field in Settings.model_fields.items():
        source = (
            f"{PREFIX}{name.upper()}"
            if f"{PREFIX}{name.upper()}" in environment_names
            else str(config_path())
            if name in file_values
            else "default"
        )
        effective.append(
            EffectiveSetting(name, display_value(name, getattr(current, name)), source, field.description or "")
        )
    return effective


def display_value(name: str, value: object) -> str:
    """A value as anybody may read it."""
    if value is None:
        return "(none)"
    if any(part in name.split("_") for part in SECRET_WORDS):
        return "***"
    text = str(value)
    if "://" not in text or "@" not in text:
        return text
    try:
        return make_url(text).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "***"


def default_of(field: FieldInfo) -> str:
    """A setting's default as documents have it: places within the checkout by their names from there."""
    if field.default is None or field.default is PydanticUndefined:
        return "(none)"
    text = str(field.default).replace(str(VAR), "…/var").replace(f"{ROOT.parent}/shared", "../shared")
    return text.replace(f"{ROOT}/", "")


def _problem(name: str, value: object, message: str) -> str:
    variable = f"{PREFIX}{name.upper()}"
    location = variable if os.environ.get(variable) else f"{config_path()}: {name}"
    return f"{location} `{display_value(name, value)}`: {message[:1].lower() + message[1:]}"
