"""Settings: read once from the environment, each `IFTAH_` and its name in capitals."""

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from engine.errors import Refused

ROOT: Final = Path(__file__).resolve().parents[1]
VAR: Final = ROOT / "var"  # made when it is needed; every other folder is the operator's to make


class Settings(BaseSettings):
    """What an operator can set. Every problem is reported at once, by the variable's name."""

    model_config = SettingsConfigDict(env_prefix="IFTAH_", env_ignore_empty=True, frozen=True)

    database_url: str = Field(f"sqlite:///{VAR / 'iftah.db'}", description="where the ledger is kept")
    rules: Path = Field(ROOT / "rules", description="the folder of rule files")
    data: Path = Field(ROOT.parent / "shared" / "data", description="the folder of public data sets")
    evidence: Literal["auto", "berka", "town"] = Field("auto", description="what an empty database is filled with")
    town_people: int = Field(2_000, ge=1, le=2_000_000, description="how many people the synthetic town has")
    town_seed: int = Field(1, ge=0, description="the seed of the synthetic town")
    host: str = Field("127.0.0.1", description="the address to serve on")
    port: int = Field(8000, ge=1, le=65535, description="the port to serve on")
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
    purpose: str = Field("perks", pattern="^[a-z][a-z_]*$", description="the purpose that people consent to")


def settings() -> Settings:
    """The settings in force. Raises Refused with every problem in one line."""
    try:
        found = Settings()
    except ValidationError as error:
        wrong = (f"IFTAH_{str(e['loc'][0]).upper()} `{e['input']}`: {_said(e['msg'])}" for e in error.errors())
        raise Refused("; ".join(wrong), where="settings", hint="see the README", code="bad_setting") from None
    if str(VAR) in found.database_url:
        VAR.mkdir(exist_ok=True)
    return found


def _said(message: str) -> str:
    return message[:1].lower() + message[1:]
