"""Write docs/settings.md from the settings: `python -m tests.settings_document`."""

from typing import Final

from api.settings.settings import Settings, default_of
from tests.paths import DOCS

DOCUMENT: Final = DOCS / "settings.md"
HEAD: Final = """# Settings

You can set each setting by an environment variable, or by its name in one file: `iftah.toml` in the working directory, or
the file that `IFTAH_CONFIG` names. The environment wins. We reject an unknown name in the file, and a variable whose name
is almost that of a setting. `iftah settings` shows the values in force and their sources, without passwords and tokens.
The default places are in the checkout. In a folder that `iftah init` made, they are beside its `iftah.toml`.

```toml
database_url = "postgresql://iftah@db:5432/iftah"
workers = 4
log_format = "json"
```

| name in the file | variable | default | meaning |
|---|---|---|---|
"""
TAIL: Final = """
## Tokens of another issuer

Set `oidc_issuer`, `oidc_audience` and `oidc_jwks_url` (all three, or none). Then we accept JWTs of that issuer beside the tokens of
`iftah token issue`. A JWT must

- be signed by RS256 or ES256, with a key whose `kid` it names and which is published at `oidc_jwks_url`
- have exactly that `iss`, that `aud` (or a list with it), and an `exp` in the future
- have one role, as one text in the claim `oidc_role_claim`: merchant, contributor, subject, operator, supervisor or admin
- have a party in the claim `oidc_party_claim`: the merchant, the contributor, or the id of the person

We answer any other token with `bad_token` and do not say which of these was wrong. The token may do all that its role may. We ignore a `scope`
in it. You cannot revoke it here, so let it live for minutes ([more](decisions/0019-tokens-rates-and-consent.md)).

People sign in to the pages there too, by OpenID Connect's code flow with PKCE, if you also set `oidc_authorize_url`, `oidc_token_url`,
`oidc_client_id`, `public_url` and, if the issuer gave you one, `oidc_client_secret`. Register `public_url` with `/sign-in/oidc/callback` at its
end as the redirect address there. The identity token has the same claims, and `oidc_client_id` as its `aud`. A session lasts an hour.
"""


def document() -> str:
    """The text of the document."""
    rows = (
        f"| `{name}` | `IFTAH_{name.upper()}` | {_code(default_of(field))} | {field.description} |"
        for name, field in Settings.model_fields.items()
    )
    return HEAD + "\n".join(rows) + "\n" + TAIL


def _code(text: str) -> str:
    return "none" if text == "(none)" else f"`{text}`"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
