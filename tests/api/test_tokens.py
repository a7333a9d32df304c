"""Tokens: hashed, listed without secrets, rotated, ended at once; for a group of routes; and when each was last used."""

from datetime import timedelta
from time import perf_counter, sleep
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from api import deps
from api.access import auth, tokens
from api.app import create_app
from api.background import last_use
from api.cli import app as cli
from api.commands import tokens as cli_tokens
from api.database import open_database
from api.world import World
from engine.errors import Refused
from tests.api.door import Door, refused
from tests.api.world import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_a_token_speaks_for_its_party_in_its_role(engine: Engine) -> None:
    secret = tokens.issue(engine, "merchant", "inn", "front desk", NOW).secret
    caller = auth.caller(engine, secret, NOW)
    assert (caller.role, caller.party, caller.scopes) == ("merchant", "inn", None)


def test_only_a_hash_of_a_secret_is_in_the_database(engine: Engine) -> None:
    secret = tokens.issue(engine, "merchant", "inn", "front desk", NOW).secret
    with engine.connect() as connection:
        rows = connection.execute(text("select * from tokens")).all()
    assert secret not in str(rows)
    assert secret.removeprefix(auth.PREFIX) not in str(rows)
    assert secret not in str(tokens.listed(engine))


def test_two_tokens_are_never_alike(engine: Engine) -> None:
    assert len({tokens.issue(engine, "merchant", "inn", "x", NOW).secret for _ in range(20)}) == 20


def test_an_expired_token_is_refused_from_its_last_moment_on(engine: Engine) -> None:
    secret = tokens.issue(engine, "merchant", "inn", "x", NOW, NOW + DAY).secret
    auth.caller(engine, secret, NOW + DAY - timedelta(microseconds=1))
    with pytest.raises(Refused, match="not valid"):
        auth.caller(engine, secret, NOW + DAY)


def test_a_revoked_token_is_refused_and_revoking_again_ends_nothing(engine: Engine) -> None:
    secret = tokens.issue(engine, "merchant", "inn", "desk", NOW).secret
    auth.caller(engine, secret, NOW)
    assert tokens.revoke(engine, "desk", NOW) == 1
    assert tokens.revoke(engine, "desk", NOW) == 0
    with pytest.raises(Refused, match="not valid"):
        auth.caller(engine, secret, NOW)
    assert tokens.listed(engine)[0].revoked_at == NOW


def test_what_another_process_revokes_is_refused_here_within_a_second(database_url: str) -> None:
    here, there = open_database(database_url), open_database(database_url)
    secret = tokens.issue(here, "merchant", "inn", "desk", NOW).secret
    auth.caller(here, secret, NOW)
    began = perf_counter()
    tokens.revoke(there, "desk", NOW)
    while True:
        try:
            auth.caller(here, secret, NOW)
        except Refused:
            break
        assert perf_counter() - began < 2.0
        sleep(0.05)
    for each in (here, there):
        each.dispose()


def test_a_token_that_is_used_again_within_a_second_asks_the_database_once(engine: Engine) -> None:
    secret = tokens.issue(engine, "merchant", "inn", "desk", NOW).secret
    auth.caller(engine, secret, NOW)
    with engine.begin() as connection:
        connection.execute(text("drop table tokens"))
    assert auth.caller(engine, secret, NOW).party == "inn"
    auth.forget(engine)
    with pytest.raises(Refused):
        auth.caller(engine, secret, NOW)


IMPOSSIBLE: tuple[tuple[str, str, list[str] | None], ...] = (
    *(("owner", "inn", None), ("merchant", "", None), ("merchant", "  ", None), ("merchant", "a\nb", None)),
    *(("merchant", "x" * 129, None), ("contributor", "iftah", None), ("merchant", "operator", None)),
    *(("merchant", "inn", []), ("merchant", "inn", ["orders", "everything"])),
)


def test_a_token_that_could_not_be_is_not_issued(engine: Engine) -> None:
    for role, party, scopes in IMPOSSIBLE:
        with pytest.raises(Refused):
            tokens.issue(engine, role, party, "x", NOW, None, scopes)
    assert tokens.listed(engine) == []


def test_a_rotated_token_stays_valid_for_the_grace_and_never_longer_than_it_was_to(engine: Engine) -> None:
    secret = tokens.issue(engine, "merchant", "inn", "desk", NOW, NOW + 30 * DAY, ["orders"]).secret
    (old,) = tokens.listed(engine)
    new = tokens.rotated(engine, old.id, NOW, 90 * DAY)
    assert (new.token.replaces, new.token.scopes, new.token.party) == (old.id, ("orders",), "inn")
    assert auth.caller(engine, new.secret, NOW + 89 * DAY).scopes == {"orders"}
    auth.caller(engine, secret, NOW + DAY - timedelta(seconds=1))
    with pytest.raises(Refused, match="not valid"):
        auth.caller(engine, secret, NOW + DAY)
    with pytest.raises(Refused, match="is in force"):
        tokens.rotated(engine, old.id, NOW + DAY, 90 * DAY)
    tokens.issue(engine, "merchant", "inn", "short", NOW, NOW + HOUR)
    (short,) = (t for t in tokens.listed(engine) if t.name == "short")
    assert short.expires_at == NOW + HOUR
    later = tokens.rotated(engine, short.id, NOW + HOUR / 2)
    assert {t.id: t for t in tokens.listed(engine)}[short.id].expires_at == NOW + HOUR
    assert later.token.expires_at == NOW + HOUR / 2 + HOUR  # no longer than a token of its kind


def test_the_last_use_is_written_at_most_once_a_minute_and_never_by_an_answer(engine: Engine) -> None:
    secret = tokens.issue(engine, "merchant", "inn", "desk", NOW).secret
    written: dict[str, int] = {}

    def used_at() -> Any:
        return tokens.listed(engine)[0].last_used_at

    auth.caller(engine, secret, NOW)
    assert used_at() is None
    assert last_use.note(engine, written, last_use.MINUTE) == 1
    auth.caller(engine, secret, NOW + timedelta(seconds=59))
    assert last_use.note(engine, written, last_use.MINUTE) == 0
    assert used_at() == NOW
    auth.caller(engine, secret, NOW + timedelta(seconds=61))
    assert last_use.note(engine, written, last_use.MINUTE) == 1
    assert used_at() == NOW + timedelta(seconds=61)
    auth.caller(engine, secret, NOW + timedelta(seconds=62))
    assert last_use.note(engine, written, 0) == 1  # as at the end
    assert used_at() == NOW + timedelta(seconds=62)


def test_a_server_that_stops_has_written_the_last_use_down(engine: Engine) -> None:
    secret = tokens.issue(engine, "admin", "ops", "desk", NOW).secret
    app = create_app(World(engine, None), works=True)  # type: ignore[arg-type]
    app.dependency_overrides[deps.present] = lambda: NOW + HOUR
    with TestClient(app) as client:
        assert client.get("/v1/tokens", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    assert tokens.listed(engine)[0].last_used_at == NOW + HOUR


class Desk:
    """An administrator at the door."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.now = engine, NOW
        app = create_app(World(engine, None))  # type: ignore[arg-type]
        app.dependency_overrides[deps.present] = lambda: self.now
        self.client = TestClient(app, raise_server_exceptions=False)
        self.secret = tokens.issue(engine, "admin", "ops", "root", NOW).secret

    def call(self, method: str, path: str = "", secret: str | None = None, **given: Any) -> Any:
        headers = {"Authorization": f"Bearer {secret or self.secret}"}
        return self.client.request(method, f"/v1/tokens{path}", headers=headers, **given)

    def issue(self, **body: Any) -> Any:
        return self.call("POST", json={"role": "merchant", "party": "inn"} | body)


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return Desk(engine)


def test_an_administrator_issues_rotates_and_ends_tokens(desk: Desk) -> None:
    made = desk.issue(name="desk", scopes=["orders", "eligibility"], days=10)
    assert made.status_code == 201
    token = made.json()["token"]
    assert (token["party"], token["scopes"], token["name"]) == ("inn", ["eligibility", "orders"], "desk")
    assert auth.caller(desk.engine, made.json()["secret"], NOW).token == token["id"]
    new = desk.call("POST", f"/{token['id']}/rotate", json={"grace_hours": 1}).json()
    assert new["token"]["replaces"] == token["id"]
    desk.now += HOUR
    with pytest.raises(Refused):
        auth.caller(desk.engine, made.json()["secret"], desk.now)
    assert auth.caller(desk.engine, new["secret"], desk.now).party == "inn"
    for _ in range(2):
        assert desk.call("DELETE", f"/{new['token']['id']}").status_code == 204
    with pytest.raises(Refused):
        auth.caller(desk.engine, new["secret"], desk.now)
    refused(desk.call("POST", f"/{new['token']['id']}/rotate"), 404, "no_such_token")
    refused(desk.call("DELETE", "/" + "0" * 16), 404, "no_such_token")


def test_no_token_of_an_administrators_making_lives_longer_than_a_year(desk: Desk) -> None:
    assert desk.issue(days=366).status_code == 201
    refused(desk.issue(days=367), 422, "bad_request")
    refused(desk.issue(role="owner"), 422, "bad_request")
    refused(desk.issue(party="iftah"), 422, "bad_party")
    for none_such in (["all"], []):
        refused(desk.issue(scopes=none_such), 422, "bad_request")


def test_tokens_are_listed_a_page_at_a_time_without_their_secrets(desk: Desk) -> None:
    made = [desk.issue(party=party).json() for party in ("inn", "lodge", "inn", "lodge")]
    ids = []
    page: dict[str, Any] = {"next": ""}
    while page["next"] is not None:
        after = {"after": page["next"]} if page["next"] else {}
        page = desk.call("GET", params={"limit": 2, "role": "merchant"} | after).json()
        ids += [token["id"] for token in page["items"]]
    assert sorted(ids) == sorted(token["token"]["id"] for token in made)
    assert len(ids) == 4
    told = desk.call("GET", params={"party": "lodge"})
    assert {token["party"] for token in told.json()["items"]} == {"lodge"}
    assert not any(token["secret"] in told.text for token in made)
    refused(desk.call("GET", params={"after": "0" * 16}), 404, "no_such_token")


def test_a_token_with_scopes_opens_those_groups_of_routes_alone(desk: Desk) -> None:
    narrow = tokens.issue(desk.engine, "admin", "ops", "narrow", NOW, None, ["tokens"]).secret
    other = tokens.issue(desk.engine, "admin", "ops", "other", NOW, None, ["audit", "orders"]).secret
    assert desk.call("GET", secret=narrow).status_code == 200
    refused(desk.call("GET", secret=other), 403, "wrong_scope")


def test_a_merchants_token_for_its_orders_asks_about_nobody(town: World) -> None:
    door = Door(town)
    token = tokens.issue(town.database, "merchant", "inn", "till", NOW, None, ["orders", "decisions"]).secret
    refused(door.put("p-1", token), 403, "wrong_scope")
    refused(door.show("x", token), 404, "unknown_decision")


def test_the_command_line_issues_lists_rotates_and_ends(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_tokens, "open_database", lambda _: engine)  # closed by the fixture

    def told(*words: str) -> list[str]:
        done = CliRunner().invoke(cli, ["token", *words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout.split()

    (secret,) = told("issue", "--role", "merchant", "--party", "inn", "--scope", "orders", "--scope", "events")
    name, role, party, title, scopes, *_ = told("list")
    assert (role, party, title, scopes) == ("merchant", "inn", "inn", "events,orders")
    (new,) = told("rotate", name, "--grace", "0")
    assert new.startswith(auth.PREFIX)
    assert new != secret
    assert told("revoke", "inn")[0] == "2"
    with pytest.raises(Refused, match="is in force"):
        CliRunner().invoke(cli, ["token", "rotate", name], catch_exceptions=False)
