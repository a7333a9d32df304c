"""The sources of settings, the environment and one file, and the names of settings.

A command that needs no more than the folder of rules reads that here: it starts without `api.settings.settings`, whose validation
takes longer to import than rule files take to check.
"""

import os
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from engine.errors import Rejected
from iftah.shipped_files import INSTALLED, PROGRAM


def working_folder(config: Path) -> Path:
    """The folder that defaults refer to: that of `iftah.toml`, if `iftah init` made it; otherwise the checkout."""
    folder = config.absolute().parent
    return folder if INSTALLED or (config.is_file() and (folder / "rules").is_dir()) else PROGRAM


PREFIX: Final = "IFTAH_"
FILE: Final = "iftah.toml"
ROOT: Final = working_folder(Path(os.environ.get(f"{PREFIX}CONFIG") or FILE))
VAR: Final = ROOT / "var"  # made when it is needed; every other folder is the operator's to make
NOT_SETTINGS: Final = ("CONFIG", "AGREEMENT", "TEST_POSTGRES")  # variables of this prefix that say something else
SIMILARITY: Final = 0.8  # how like a setting a variable must be to be taken for one with a slip in it
HINT: Final = "see docs/settings.md"
RULES: Final = ROOT / "rules"
DATA: Final = ROOT / "data" if INSTALLED else PROGRAM.parent / "shared" / "data"
# The fields of `api.settings.settings.Settings`; a test compares the two.
NAMES: Final = (
    "database_url",
    "rules",
    "releases",
    "key",
    "anchors",
    "operators_webhook",
    "operators_webhook_secret",
    "datasets_dir",
    "seed_evidence",
    "seed_file",
    "seed_map",
    "town_people",
    "town_seed",
    "demo_activity",
    "host",
    "port",
    "workers",
    "rate_limit",
    "rate_limit_failures",
    "rate_limit_storage",
    "oidc_issuer",
    "oidc_audience",
    "oidc_jwks_url",
    "oidc_role_claim",
    "oidc_party_claim",
    "oidc_authorize_url",
    "oidc_token_url",
    "oidc_client_id",
    "oidc_client_secret",
    "public_url",
    "allow_private_callbacks",
    "consent_purpose",
    "log_format",
    "metrics_token",
    "report_smallest_group",
)

FORMER_NAMES: Final = {  # of settings in earlier versions
    "callbacks_private": "allow_private_callbacks",
    "data": "datasets_dir",
    "evidence": "seed_evidence",
    "purpose": "consent_purpose",
}


def rules_folder() -> Path:
    """The setting `rules`, without checking the others. Raises Rejected for it, for a name that is no setting, or for a bad file."""
    variables = {name.upper(): value for name, value in os.environ.items()}
    value = variables.get(f"{PREFIX}RULES") or file_settings().get("rules", RULES)
    problems = [*unknown_settings()]
    if not isinstance(value, str | Path):
        problems.append(f"{config_path()}: rules `{value}`: write the path of a folder")
    if problems:
        raise Rejected("; ".join(problems), where="settings", hint=HINT, code="bad_setting")
    return Path(value)


def config_path() -> Path:
    """The file of settings, whether it is there or not."""
    return Path(os.environ.get(f"{PREFIX}CONFIG") or FILE)


def make_var() -> None:
    """Make the folder of the default database. Raises Refused where no folder of `iftah init` is, or it cannot be made."""
    if INSTALLED and not config_path().is_file():
        hint = "make a folder with `iftah init FOLDER` and work in it, or set IFTAH_DATABASE_URL"
        raise Rejected("there is no iftah.toml here", where=str(ROOT), hint=hint, code="bad_setting")
    try:
        VAR.mkdir(exist_ok=True)
    except OSError as error:
        raise Rejected(f"cannot be made: {error.strerror}", where=str(VAR), code="bad_setting") from None


def file_settings() -> dict[str, Any]:
    """The content of the settings file; empty when there is none. Raises Rejected when it cannot be read, or one that is named is not there."""
    path = config_path()
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not os.environ.get(f"{PREFIX}CONFIG"):
            return {}
        hint = f"make it, or leave {PREFIX}CONFIG away"
        raise Rejected("there is no such file", where=str(path), hint=hint, code="bad_setting") from None
    except OSError as error:
        raise Rejected(f"cannot be read: {error.strerror}", where=str(path), code="bad_setting") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = str(error)[:1].lower() + str(error)[1:]
        raise Rejected(
            f"not TOML: {message}", where=str(path), hint='write name = "value"', code="bad_setting"
        ) from None


def unknown_settings() -> Iterator[str]:
    """Names that are no settings. Of variables we report only near misses: other programs may use our prefix too."""
    for variable in sorted(os.environ):
        name = variable.removeprefix(PREFIX)
        if name != variable and name not in NOT_SETTINGS and name.lower() not in NAMES:
            if current := FORMER_NAMES.get(name.lower()):
                yield f"{variable}: it is called {PREFIX}{current.upper()} now"
            elif close := get_close_matches(name.lower(), NAMES, n=1, cutoff=SIMILARITY):
                yield f"{variable}: there is no such setting (did you mean {PREFIX}{close[0].upper()}?)"
    for name in file_settings():
        if name in FORMER_NAMES:
            yield f"{config_path()}: {name}: it is called {FORMER_NAMES[name]} now"
        elif name not in NAMES:
            close = get_close_matches(name.lower(), NAMES, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            yield f"{config_path()}: {name}: there is no such setting{hint}"
