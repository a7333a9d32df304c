"""Tokens: hashed, listed without secrets, ended at once."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from api import auth
from engine.errors import Refused
from tests.api.world import NOW


def test_a_token_speaks_for_its_party_in_its_role(engine: Engine) -> None:
    secret = auth.issue(engine, "merchant", "inn", "front desk", NOW)
    caller = auth.caller(engine, secret, NOW)
    assert (caller.role, caller.party) == ("merchant", "inn")


def test_only_a_hash_of_a_secret_is_in_the_database(engine: Engine) -> None:
    secret = auth.issue(engine, "merchant", "inn", "front desk", NOW)
    with engine.connect() as connection:
        rows = connection.execute(text("select * from tokens")).all()
    assert secret not in str(rows)
    assert secret.removeprefix(auth.PREFIX) not in str(rows)
    assert secret not in str(auth.listed(engine))


def test_two_tokens_are_never_alike(engine: Engine) -> None:
    assert len({auth.issue(engine, "merchant", "inn", "x", NOW) for _ in range(20)}) == 20


def test_an_expired_token_is_refused_from_its_last_moment_on(engine: Engine) -> None:
    secret = auth.issue(engine, "merchant", "inn", "x", NOW, NOW + timedelta(days=1))
    auth.caller(engine, secret, NOW + timedelta(days=1) - timedelta(microseconds=1))
    with pytest.raises(Refused, match="not valid"):
        auth.caller(engine, secret, NOW + timedelta(days=1))


def test_a_revoked_token_is_refused_and_revoking_again_ends_nothing(engine: Engine) -> None:
    secret = auth.issue(engine, "merchant", "inn", "desk", NOW)
    assert auth.revoke(engine, "desk", NOW) == 1
    assert auth.revoke(engine, "desk", NOW) == 0
    with pytest.raises(Refused, match="not valid"):
        auth.caller(engine, secret, NOW)
    assert auth.listed(engine)[0].revoked_at == NOW


@pytest.mark.parametrize(("role", "party"), [("owner", "inn"), ("merchant", ""), ("merchant", "  ")])
def test_a_token_without_a_known_role_or_a_party_is_not_issued(engine: Engine, role: str, party: str) -> None:
    with pytest.raises(Refused):
        auth.issue(engine, role, party, "x", NOW)
    assert auth.listed(engine) == []
