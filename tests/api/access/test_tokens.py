"""Tokens: we store hashes, list them without secrets, rotate and revoke them, restrict scopes and record the last use."""

from datetime import timedelta
from time import perf_counter, sleep
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from api.access import auth, tokens
from api.cli import tokens as cli_tokens
from api.cli.main import app as cli
from api.http import dependencies
from api.http.app import create_app
from api.jobs import last_use
from api.runtime.context import AppContext
from api.store.database import open_database
from engine.decide.evaluators import Evaluators
from engine.errors import Rejected
from tests.api.merchant_client import MerchantClient, assert_problem
from tests.api.town import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_a_token_authenticates_its_party_in_its_role(database: Engine) -> None:
    secret = tokens.issue(database, "merchant", "inn", "front desk", NOW).secret
    caller = auth.authenticate(database, secret, NOW)
    assert (caller.role, caller.party, caller.scopes) == ("merchant", "inn", None)


def test_only_a_hash_of_a_secret_is_in_the_database(database: Engine) -> None:
    secret = tokens.issue(database, "merchant", "inn", "front desk", NOW).secret
    with database.connect() as connection:
        rows = connection.execute(text("select * from tokens")).all()
    assert secret not in str(rows)
    assert secret.removeprefix(auth.OWN_PREFIX) not in str(rows)
    assert secret not in str(tokens.list_tokens(database))


def test_two_tokens_are_never_equal(database: Engine) -> None:
    assert len({tokens.issue(database, "merchant", "inn", "x", NOW).secret for _ in range(20)}) == 20


def test_an_expired_token_is_refused_from_its_last_moment_on(database: Engine) -> None:
    secret = tokens.issue(database, "merchant", "inn", "x", NOW, NOW + DAY).secret
    auth.authenticate(database, secret, NOW + DAY - timedelta(microseconds=1))
    with pytest.raises(Rejected, match="not valid"):
        auth.authenticate(database, secret, NOW + DAY)


def test_a_revoked_token_is_refused_and_revoking_again_ends_nothing(database: Engine) -> None:
    secret = tokens.issue(database, "merchant", "inn", "desk", NOW).secret
    auth.authenticate(database, secret, NOW)
    assert tokens.revoke(database, "desk", NOW) == 1
    assert tokens.revoke(database, "desk", NOW) == 0
    with pytest.raises(Rejected, match="not valid"):
        auth.authenticate(database, secret, NOW)
    assert tokens.list_tokens(database)[0].revoked_at == NOW


def test_a_token_revoked_by_another_process_is_refused_within_a_second(database_url: str) -> None:
    database, other_database = open_database(database_url), open_database(database_url)
    secret = tokens.issue(database, "merchant", "inn", "desk", NOW).secret
    auth.authenticate(database, secret, NOW)
    started_at = perf_counter()
    tokens.revoke(other_database, "desk", NOW)
    while True:
        try:
            auth.authenticate(database, secret, NOW)
        except Rejected:
            break
        assert perf_counter() - started_at < 2.0
        sleep(0.05)
    for connected in (database, other_database):
        connected.dispose()


def test_a_token_used_twice_within_a_second_needs_one_database_query(database: Engine) -> None:
    secret = tokens.issue(database, "merchant", "inn", "desk", NOW).secret
    auth.authenticate(database, secret, NOW)
    with database.begin() as connection:
        connection.execute(text("drop table tokens"))
    assert auth.authenticate(database, secret, NOW).party == "inn"
    auth.forget(database)
    with pytest.raises(Rejected):
        auth.authenticate(database, secret, NOW)


IMPOSSIBLE_TOKENS: tuple[tuple[str, str, list[str] | None], ...] = (
    *(("owner", "inn", None), ("merchant", "", None), ("merchant", "  ", None), ("merchant", "a\nb", None)),
    *(("merchant", "x" * 129, None), ("contributor", "iftah", None), ("merchant", "operator", None)),
    *(("merchant", "inn", []), ("merchant", "inn", ["orders", "everything"])),
)


def test_an_invalid_token_is_not_issued(database: Engine) -> None:
    for role, party, scopes in IMPOSSIBLE_TOKENS:
        with pytest.raises(Rejected):
            tokens.issue(database, role, party, "x", NOW, None, scopes)
    assert tokens.list_tokens(database) == []


def test_a_rotated_token_stays_valid_for_the_grace_period_but_not_past_its_expiry(database: Engine) -> None:
    secret = tokens.issue(database, "merchant", "inn", "desk", NOW, NOW + 30 * DAY, ["orders"]).secret
    (old_token,) = tokens.list_tokens(database)
    new_token = tokens.rotate(database, old_token.id, NOW, 90 * DAY)
    assert (new_token.token.replaces, new_token.token.scopes, new_token.token.party) == (
        old_token.id,
        ("orders",),
        "inn",
    )
    assert auth.authenticate(database, new_token.secret, NOW + 89 * DAY).scopes == {"orders"}
    auth.authenticate(database, secret, NOW + DAY - timedelta(seconds=1))
    with pytest.raises(Rejected, match="not valid"):
        auth.authenticate(database, secret, NOW + DAY)
    with pytest.raises(Rejected, match="is in force"):
        tokens.rotate(database, old_token.id, NOW + DAY, 90 * DAY)
    tokens.issue(database, "merchant", "inn", "short", NOW, NOW + HOUR)
    (short_token,) = (t for t in tokens.list_tokens(database) if t.name == "short")
    assert short_token.expires_at == NOW + HOUR
    later_token = tokens.rotate(database, short_token.id, NOW + HOUR / 2)
    assert {t.id: t for t in tokens.list_tokens(database)}[short_token.id].expires_at == NOW + HOUR
    assert later_token.token.expires_at == NOW + HOUR / 2 + HOUR  # no longer than a token of its kind


def test_the_last_use_is_written_at_most_once_a_minute_and_never_by_an_answer(database: Engine) -> None:
    secret = tokens.issue(database, "merchant", "inn", "desk", NOW).secret
    last_written: dict[str, int] = {}

    def last_used_at() -> Any:
        return tokens.list_tokens(database)[0].last_used_at

    auth.authenticate(database, secret, NOW)
    assert last_used_at() is None
    assert last_use.record_last_uses(database, last_written, last_use.MINUTE_MICROS) == 1
    auth.authenticate(database, secret, NOW + timedelta(seconds=59))
    assert last_use.record_last_uses(database, last_written, last_use.MINUTE_MICROS) == 0
    assert last_used_at() == NOW
    auth.authenticate(database, secret, NOW + timedelta(seconds=61))
    assert last_use.record_last_uses(database, last_written, last_use.MINUTE_MICROS) == 1
    assert last_used_at() == NOW + timedelta(seconds=61)
    auth.authenticate(database, secret, NOW + timedelta(seconds=62))
    assert last_use.record_last_uses(database, last_written, 0) == 1  # as at the end
    assert last_used_at() == NOW + timedelta(seconds=62)


def test_a_stopping_server_writes_the_last_use(database: Engine, shipped_evaluators: Evaluators) -> None:
    secret = tokens.issue(database, "admin", "ops", "desk", NOW).secret
    app = create_app(AppContext(database, shipped_evaluators), background=True)
    app.dependency_overrides[dependencies.get_now] = lambda: NOW + HOUR
    with TestClient(app) as client:
        assert client.get("/v1/tokens", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    assert tokens.list_tokens(database)[0].last_used_at == NOW + HOUR


class TokenAdminClient:
    """An administrator who uses the API."""

    def __init__(self, database: Engine) -> None:
        self.database, self.now = database, NOW
        app = create_app(AppContext(database, None))  # type: ignore[arg-type]
        app.dependency_overrides[dependencies.get_now] = lambda: self.now
        self.http = TestClient(app, raise_server_exceptions=False)
        self.secret = tokens.issue(database, "admin", "ops", "root", NOW).secret

    def call(self, method: str, path: str = "", secret: str | None = None, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {secret or self.secret}"}
        return self.http.request(method, f"/v1/tokens{path}", headers=headers, **options)

    def issue(self, **body: Any) -> Any:
        return self.call("POST", json={"role": "merchant", "party": "inn"} | body)


@pytest.fixture
def client(database: Engine) -> TokenAdminClient:
    return TokenAdminClient(database)


def test_an_administrator_issues_rotates_and_ends_tokens(client: TokenAdminClient) -> None:
    response = client.issue(name="desk", scopes=["orders", "eligibility"], days=10)
    assert response.status_code == 201
    token = response.json()["token"]
    assert (token["party"], token["scopes"], token["name"]) == ("inn", ["eligibility", "orders"], "desk")
    assert auth.authenticate(client.database, response.json()["secret"], NOW).token == token["id"]
    new_token = client.call("POST", f"/{token['id']}/rotate", json={"grace_hours": 1}).json()
    assert new_token["token"]["replaces"] == token["id"]
    client.now += HOUR
    with pytest.raises(Rejected):
        auth.authenticate(client.database, response.json()["secret"], client.now)
    assert auth.authenticate(client.database, new_token["secret"], client.now).party == "inn"
    for _ in range(2):
        assert client.call("DELETE", f"/{new_token['token']['id']}").status_code == 204
    with pytest.raises(Rejected):
        auth.authenticate(client.database, new_token["secret"], client.now)
    assert_problem(client.call("POST", f"/{new_token['token']['id']}/rotate"), 404, "no_such_token")
    assert_problem(client.call("DELETE", "/" + "0" * 16), 404, "no_such_token")


def test_an_administrators_token_lasts_at_most_a_year(client: TokenAdminClient) -> None:
    assert client.issue(days=366).status_code == 201
    assert_problem(client.issue(days=367), 422, "bad_request")
    assert_problem(client.issue(role="owner"), 422, "bad_request")
    assert_problem(client.issue(party="iftah"), 422, "bad_party")
    for bad_scopes in (["all"], []):
        assert_problem(client.issue(scopes=bad_scopes), 422, "bad_request")


def test_tokens_are_listed_a_page_at_a_time_without_their_secrets(client: TokenAdminClient) -> None:
    issued_tokens = [client.issue(party=party).json() for party in ("inn", "lodge", "inn", "lodge")]
    ids = []
    page: dict[str, Any] = {"next": ""}
    while page["next"] is not None:
        after = {"after": page["next"]} if page["next"] else {}
        page = client.call("GET", params={"limit": 2, "role": "merchant"} | after).json()
        ids += [token["id"] for token in page["items"]]
    assert sorted(ids) == sorted(token["token"]["id"] for token in issued_tokens)
    assert len(ids) == 4
    response = client.call("GET", params={"party": "lodge"})
    assert {token["party"] for token in response.json()["items"]} == {"lodge"}
    assert not any(token["secret"] in response.text for token in issued_tokens)
    assert_problem(client.call("GET", params={"after": "0" * 16}), 404, "no_such_token")


def test_a_token_with_scopes_opens_those_groups_of_routes_alone(client: TokenAdminClient) -> None:
    narrow_secret = tokens.issue(client.database, "admin", "ops", "narrow", NOW, None, ["tokens"]).secret
    other_secret = tokens.issue(client.database, "admin", "ops", "other", NOW, None, ["audit", "orders"]).secret
    assert client.call("GET", secret=narrow_secret).status_code == 200
    assert_problem(client.call("GET", secret=other_secret), 403, "wrong_scope")


def test_a_merchant_token_with_scope_orders_cannot_ask_about_people(town: AppContext) -> None:
    client = MerchantClient(town)
    token = tokens.issue(town.database, "merchant", "inn", "till", NOW, None, ["orders", "decisions"]).secret
    assert_problem(client.post_question("p-1", token), 403, "wrong_scope")
    assert_problem(client.get_decision("x", token), 404, "unknown_decision")


def test_the_command_line_issues_lists_rotates_and_ends(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_tokens, "open_database", lambda _: database)  # closed by the fixture

    def run_token_command(*args: str) -> list[str]:
        result = CliRunner().invoke(cli, ["token", *args], catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout.split()

    (secret,) = run_token_command(
        "issue", "--role", "merchant", "--party", "inn", "--scope", "orders", "--scope", "events"
    )
    name, role, party, title, scopes, *_ = run_token_command("list")
    assert (role, party, title, scopes) == ("merchant", "inn", "inn", "events,orders")
    (new,) = run_token_command("rotate", name, "--grace", "0")
    assert new.startswith(auth.OWN_PREFIX)
    assert new != secret
    assert run_token_command("revoke", "inn")[0] == "2"
    with pytest.raises(Rejected, match="is in force"):
        CliRunner().invoke(cli, ["token", "rotate", name], catch_exceptions=False)
