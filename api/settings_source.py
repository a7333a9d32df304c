"""Where settings are written: the environment and one file; and what they are called.

A command that needs no more than the folder of rules reads that here: it starts without `api.settings`, whose validation
takes longer to import than rule files take to check.
"""

import os
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from engine.errors import Refused

ROOT: Final = Path(__file__).resolve().parents[1]
VAR: Final = ROOT / "var"  # made when it is needed; every other folder is the operator's to make
PREFIX: Final = "IFTAH_"
FILE: Final = "iftah.toml"
NOT_SETTINGS: Final = ("CONFIG", "AGREEMENT", "TEST_POSTGRES")  # variables of this prefix that say something else
ALMOST: Final = 0.8  # how like a setting a variable must be to be taken for one with a slip in it
HINT: Final = "see docs/settings.md"
RULES: Final = ROOT / "rules"
# The fields of `api.settings.Settings`; a test compares the two.
NAMES: Final = (
    "database_url",
    "rules",
    "data",
    "evidence",
    "town_people",
    "town_seed",
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
    "callbacks_private",
    "purpose",
    "log_format",
    "metrics_token",
    "report_smallest_group",
)


def rules_folder() -> Path:
    """The setting `rules`, whatever the others are. Raises Refused for it, for a name that is no setting, or for a bad file."""
    variables = {name.upper(): value for name, value in os.environ.items()}
    value = variables.get(f"{PREFIX}RULES") or in_file().get("rules", RULES)
    wrong = [*unknown_settings()]
    if not isinstance(value, str | Path):
        wrong.append(f"{config()}: rules `{value}`: write the path of a folder")
    if wrong:
        raise Refused("; ".join(wrong), where="settings", hint=HINT, code="bad_setting")
    return Path(value)


def config() -> Path:
    """The file of settings, whether it is there or not."""
    return Path(os.environ.get(f"{PREFIX}CONFIG") or FILE)


def in_file() -> dict[str, Any]:
    """What the file of settings says; nothing when there is none. Raises Refused when it cannot be read, or one that is named is not there."""
    path = config()
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not os.environ.get(f"{PREFIX}CONFIG"):
            return {}
        hint = f"make it, or leave {PREFIX}CONFIG away"
        raise Refused("there is no such file", where=str(path), hint=hint, code="bad_setting") from None
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}", where=str(path), code="bad_setting") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        said = str(error)[:1].lower() + str(error)[1:]
        raise Refused(f"not TOML: {said}", where=str(path), hint='write name = "value"', code="bad_setting") from None


def unknown_settings() -> Iterator[str]:
    """What is written as a setting and is none. Of variables only what is almost one: others set some under our prefix too."""
    for variable in sorted(os.environ):
        name = variable.removeprefix(PREFIX)
        if name != variable and name not in NOT_SETTINGS and name.lower() not in NAMES:
            close = get_close_matches(name.lower(), NAMES, n=1, cutoff=ALMOST)
            if close:
                yield f"{variable}: there is no such setting (did you mean {PREFIX}{close[0].upper()}?)"
    for name in in_file():
        if name not in NAMES:
            close = get_close_matches(name.lower(), NAMES, n=1)
            meant = f" (did you mean {close[0]}?)" if close else ""
            yield f"{config()}: {name}: there is no such setting{meant}"
