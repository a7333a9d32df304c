"""The document of settings, from the settings themselves: `python -m tests.settings_document` writes it anew."""

from pathlib import Path
from typing import Final

from api.settings import Settings, default_of

DOCUMENT: Final = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
HEAD: Final = """# Settings

Each can be set by a variable of the environment, or by its name in one file, `iftah.toml` in the working directory (or
wherever `IFTAH_CONFIG` says). The environment wins. A name in the file that is no setting is refused, as is a variable that
is almost one. `iftah settings` shows what is in force and where it is from, passwords and tokens left out.

```toml
database_url = "postgresql://iftah@db:5432/iftah"
workers = 4
log_format = "json"
```

| name in the file | variable | default | what it sets |
|---|---|---|---|
"""
TAIL: Final = """
## Tokens of another issuer

With `oidc_issuer`, `oidc_audience` and `oidc_jwks_url` (all three, or none) a JWT is a token as well as one of `iftah token issue` is. It must be

- signed by RS256 or ES256, with a key of the address in `oidc_jwks_url` whose `kid` it names
- from `iss` exactly, for `aud` (or a list that holds it), with an `exp` to come
- of one of the roles, as one text in the claim `oidc_role_claim`: merchant, contributor, subject, operator, supervisor or admin
- for somebody, in the claim `oidc_party_claim`: the merchant, the contributor, or the id of the person

Anything else is answered `bad_token`, and nothing says which of these it was. It may do all that its role may; a `scope` in it is not
looked at. It cannot be revoked here: let it live for minutes ([more](decisions/0019-who-may-call.md)).
"""


def document() -> str:
    """The whole text."""
    rows = (
        f"| `{name}` | `IFTAH_{name.upper()}` | {_code(default_of(field))} | {field.description} |"
        for name, field in Settings.model_fields.items()
    )
    return HEAD + "\n".join(rows) + "\n" + TAIL


def _code(text: str) -> str:
    return "none" if text == "(none)" else f"`{text}`"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
