"""Settings: read once, from the environment (`IFTAH_` and a setting's name in capitals) and from one file, `iftah.toml`.

The environment wins. The file is the one in the working directory, or the one that `IFTAH_CONFIG` names.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from api.settings_source import HINT, PREFIX, ROOT, RULES, VAR, config, in_file, unknown_settings
from engine.errors import Refused
from engine.lang.identifiers import flaw

SECRET: Final = ("token", "secret", "password")  # what a setting is called whose value is shown to nobody


class Settings(BaseSettings):
    """What an operator can set. Every problem is reported at once, by the variable's name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    database_url: str = Field(f"sqlite:///{VAR / 'iftah.db'}", description="where the ledger is kept")
    rules: Path = Field(RULES, description="the folder of rule files")
    data: Path = Field(ROOT.parent / "shared" / "data", description="the folder of public data sets")
    evidence: Literal["auto", "berka", "town"] = Field("auto", description="what an empty database is filled with")
    town_people: int = Field(2_000, ge=1, le=2_000_000, description="how many people the synthetic town has")
    town_seed: int = Field(1, ge=0, description="the seed of the synthetic town")
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
    callbacks_private: bool = Field(
        default=False, description="for development: callbacks may go to http, loopback and private addresses"
    )
    purpose: str = Field("perks", pattern="^[a-z][a-z_]*$", description="the purpose that people consent to")
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
        """What is compared has nothing in it that cannot be seen."""
        if value and (said := flaw(value)):
            raise ValueError(said)
        return value

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
        return init_settings, env_settings, _File(settings_cls)


class _File(PydanticBaseSettingsSource):
    """What the file says, under the names of the settings."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        return in_file().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = Settings.model_fields
        numbers = (name for name, field in fields.items() if field.annotation is int)
        found = in_file()
        # Pydantic takes true for 1.
        return found | {n: str(found[n]).lower() for n in numbers if isinstance(found.get(n), bool)}


@dataclass(frozen=True)
class InForce:
    """A setting as it may be shown: its value without anything secret, and where it is from."""

    name: str
    value: str
    source: str
    about: str


def settings() -> Settings:
    """The settings in force. Raises Refused with every problem in one line."""
    unknown = [*unknown_settings()]
    try:
        found = Settings()
    except ValidationError as error:
        wrong = [
            _wrong(str(e["loc"][0]), e["input"], e["msg"]) for e in error.errors() if e["type"] != "extra_forbidden"
        ]
        raise Refused("; ".join([*unknown, *wrong]), where="settings", hint=HINT, code="bad_setting") from None
    if unknown:
        raise Refused("; ".join(unknown), where="settings", hint=HINT, code="bad_setting")
    if str(VAR) in found.database_url:
        VAR.mkdir(exist_ok=True)
    return found


def in_force(chosen: Settings) -> list[InForce]:
    """Every setting, what it is and where it is from; passwords in URLs and whole secrets are left out."""
    said, file = {name.upper() for name, value in os.environ.items() if value}, in_file()
    found = []
    for name, field in Settings.model_fields.items():
        source = (
            f"{PREFIX}{name.upper()}"
            if f"{PREFIX}{name.upper()}" in said
            else str(config())
            if name in file
            else "default"
        )
        found.append(InForce(name, shown(name, getattr(chosen, name)), source, field.description or ""))
    return found


def shown(name: str, value: object) -> str:
    """A value as anybody may read it."""
    if value is None:
        return "(none)"
    if any(part in name.split("_") for part in SECRET):
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


def _wrong(name: str, value: object, message: str) -> str:
    variable = f"{PREFIX}{name.upper()}"
    place = variable if os.environ.get(variable) else f"{config()}: {name}"
    return f"{place} `{shown(name, value)}`: {message[:1].lower() + message[1:]}"
