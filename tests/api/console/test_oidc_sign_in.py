"""Signing in at another issuer, by the code flow with PKCE: in a real browser, and with each part wrong."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser

from api.console.sign_in import STATE_COOKIE
from api.console.visits import COOKIE
from api.http.gate import gate_of
from api.runtime.context import AppContext
from api.settings.settings import Settings
from api.store import clock
from engine.errors import Rejected
from tests.api.console.browser import Visitor
from tests.api.console.conftest import served
from tests.api.console.sign_in_provider import SignInProvider


@pytest.fixture
def provider() -> Iterator[SignInProvider]:
    provider = SignInProvider()
    yield provider
    provider.close()


@pytest.fixture
def site(town: AppContext, provider: SignInProvider) -> Iterator[str]:
    """The address of pages where people sign in at the provider."""
    with served(town, lambda address: gate_of(provider.settings(address))) as address:
        yield address


def test_a_person_signs_in_at_the_issuer_and_confirms_there(
    browser: Browser, site: str, provider: SignInProvider
) -> None:
    window = Visitor(browser, site, also=provider.url)
    window.page.goto("/sign-in?next=/confirm")
    window.page.click("text=Sign in with your organisation")
    assert urlsplit(window.page.url).path == "/confirm"
    assert window.page.inner_text(".party") == "Administrator · root"
    window.page.click("text=Sign in with your organisation")
    window.page.wait_for_load_state()
    provider.party = "eve"
    window.page.goto("/confirm")
    window.page.click("text=Sign in with your organisation")
    assert window.page.inner_text("[role=alert]") == "This token belongs to somebody else."
    window.close()


def begin(site: str) -> tuple[str, str, httpx2.Response]:
    """Where the browser is sent, and the secret that it keeps."""
    answer = httpx2.get(f"{site}/sign-in/oidc?next=/confirm")
    secret = answer.headers["set-cookie"].split("=", 1)[1].split(";")[0]
    return answer.headers["location"], secret, answer


def come_back(location: str) -> dict[str, str]:
    """State and code, as the provider sends them."""
    answer = httpx2.get(location)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def arrive(site: str, query: dict[str, str], secret: str) -> int:
    answer = httpx2.get(f"{site}/sign-in/oidc/callback", params=query, headers={"Cookie": f"{STATE_COOKIE}={secret}"})
    assert (answer.status_code == 303) == (f"{COOKIE}=" in answer.headers.get("set-cookie", ""))
    return answer.status_code


def test_a_sign_in_is_completed_once_and_by_the_browser_that_began_it(site: str) -> None:
    location, secret, _ = begin(site)
    query = come_back(location)
    _, other_secret, _ = begin(site)
    assert arrive(site, query, other_secret) == 401  # another browser: the state is used up
    location, secret, _ = begin(site)
    query = come_back(location)
    assert arrive(site, query, secret) == 303
    assert arrive(site, query, secret) == 401
    assert arrive(site, {"state": "x", "code": "y"}, secret) == 401


def test_a_code_of_another_sign_in_opens_nothing(site: str) -> None:
    first, _, _ = begin(site)
    second, secret, _ = begin(site)
    query = come_back(second) | {"code": come_back(first)["code"]}
    assert arrive(site, query, secret) == 401


@pytest.mark.parametrize(
    "claims",
    [
        *({"nonce": "other"}, {"aud": "iftah-api"}, {"iss": "https://elsewhere.example"}, {"iftah_role": "owner"}),
        *({"iftah_party": "iftah"}, {"exp": 1}),
    ],
)
def test_an_identity_token_that_does_not_fit_opens_nothing(
    site: str, provider: SignInProvider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    location, secret, _ = begin(site)
    assert arrive(site, come_back(location), secret) == 401


def test_a_confirmation_needs_a_new_sign_in_there(browser: Browser, site: str, provider: SignInProvider) -> None:
    window = Visitor(browser, site, also=provider.url)
    window.page.goto("/sign-in/oidc?next=/confirm")
    provider.claims = {"auth_time": int((clock.now() - timedelta(hours=1)).timestamp())}
    window.page.goto("/confirm")
    window.page.click("text=Sign in with your organisation")
    assert "not valid" in window.page.inner_text("[role=alert]")
    window.close()


def test_settings_by_halves_are_refused(provider: SignInProvider) -> None:
    whole = provider.settings("https://iftah.example")
    changes: tuple[dict[str, str], ...] = (
        *(
            {"oidc_token_url": ""},
            {"public_url": ""},
            {"oidc_client_id": ""},
            {"oidc_authorize_url": "http://x.example"},
        ),
        {"oidc_issuer": "", "oidc_audience": "", "oidc_jwks_url": ""},
    )
    for change in changes:
        with pytest.raises(Rejected, match=r"by halves|not an address"):
            gate_of(Settings(**(whole.model_dump() | change)))
