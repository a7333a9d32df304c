"""Several tokens: you revoke, rotate or list one, and the others stay unchanged. Also their limits."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from api.access import auth, tokens
from api.evidence import erasure_tombstones
from api.store.database import reading, writing
from engine.errors import Rejected
from tests.api.town import NOW

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # test_tokens has both
DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)


def is_valid(database: Engine, secret: str, at: object = NOW) -> bool:
    try:
        auth.authenticate(database, secret, at)  # type: ignore[arg-type]
    except Rejected:
        return False
    return True


def by_id(database: Engine) -> dict[str, tokens.TokenInfo]:
    return {token.id: token for token in tokens.list_tokens(database)}


def test_tokens_are_revoked_by_id_or_by_name(database: Engine) -> None:
    first_token, second_token, third_token = (
        tokens.issue(database, "merchant", "inn", name, NOW) for name in ("desk", "desk", "bar")
    )
    assert tokens.revoke(database, third_token.token.id, NOW) == 1
    assert [is_valid(database, issued_token.secret) for issued_token in (first_token, second_token, third_token)] == [
        True,
        True,
        False,
    ]
    tokens.revoke_one(database, first_token.token.id, NOW + DAY)
    assert [is_valid(database, issued_token.secret) for issued_token in (first_token, second_token, third_token)] == [
        False,
        True,
        False,
    ]
    assert tokens.revoke(database, "desk", NOW + 2 * DAY) == 1  # the other is ended already
    ends = {
        issued_token.token.id: by_id(database)[issued_token.token.id].revoked_at
        for issued_token in (first_token, second_token, third_token)
    }
    assert list(ends.values()) == [NOW + DAY, NOW + 2 * DAY, NOW]


def test_revoking_twice_does_nothing_and_revoking_an_unknown_token_is_refused(database: Engine) -> None:
    issued_token = tokens.issue(database, "merchant", "inn", "desk", NOW)
    tokens.revoke_one(database, issued_token.token.id, NOW)
    tokens.revoke_one(database, issued_token.token.id, NOW + DAY)
    assert by_id(database)[issued_token.token.id].revoked_at == NOW
    with pytest.raises(Rejected, match="`nobody` is in force") as error:
        tokens.revoke_one(database, "nobody", NOW)
    assert error.value.code == "no_such_token"
    with pytest.raises(Rejected, match=f"no token `{'x' * 60}` is"):
        tokens.revoke_one(database, "x" * 61, NOW)
    assert tokens.revoke(database, "nobody", NOW) == 0


def test_rotating_one_token_leaves_the_others(database: Engine) -> None:
    first_token, second_token = (
        tokens.issue(database, "merchant", "inn", name, NOW, NOW + 30 * DAY) for name in ("desk", "bar")
    )
    lasting_token = tokens.issue(database, "admin", "ops", "ops", NOW)
    tokens_before = by_id(database)
    auth.authenticate(database, first_token.secret, NOW)
    new_token = tokens.rotate(database, first_token.token.id, NOW + DAY)
    tokens_after = by_id(database)
    assert {name: tokens_after[name] for name in (second_token.token.id, lasting_token.token.id)} == {
        name: tokens_before[name] for name in (second_token.token.id, lasting_token.token.id)
    }
    assert (tokens_after[first_token.token.id].expires_at, tokens_after[new_token.token.id].expires_at) == (
        NOW + 2 * DAY,
        NOW + 31 * DAY,
    )
    assert (new_token.token.created_at, new_token.token.last_used_at, new_token.token.name) == (NOW + DAY, None, "desk")
    assert len(tokens_after) == 4
    assert len(new_token.token.id) == 16  # of 8 random bytes, as each


@pytest.mark.parametrize(
    ("life", "lasts", "longest", "expected"),
    [
        (None, None, None, None),
        (None, None, 9 * DAY, 9 * DAY),
        (None, 5 * DAY, None, 5 * DAY),
        (None, 5 * DAY, 9 * DAY, 5 * DAY),
        (None, 10 * DAY, 9 * DAY, 9 * DAY),
        (20 * DAY, None, None, 20 * DAY),
        (20 * DAY, None, 9 * DAY, 9 * DAY),
        (20 * DAY, 30 * DAY, None, 30 * DAY),
    ],
)
def test_a_rotated_token_has_the_expected_lifetime(
    database: Engine, life: object, lasts: object, longest: object, expected: object
) -> None:
    old_token = tokens.issue(database, "merchant", "inn", "desk", NOW, None if life is None else NOW + life)  # type: ignore[operator]
    new_token = tokens.rotate(database, old_token.token.id, NOW + DAY, lasts, max_lifetime=longest)  # type: ignore[arg-type]
    assert new_token.token.expires_at == (None if expected is None else NOW + DAY + expected)  # type: ignore[operator]
    assert by_id(database)[new_token.token.id] == new_token.token
    assert by_id(database)[old_token.token.id].expires_at == NOW + 2 * DAY  # the grace period, but not past its expiry


def test_expired_and_revoked_tokens_cannot_be_rotated(database: Engine) -> None:
    short_token = tokens.issue(database, "merchant", "inn", "short", NOW, NOW + DAY)
    ended_token = tokens.issue(database, "merchant", "inn", "ended", NOW)
    tokens.revoke_one(database, ended_token.token.id, NOW)
    for name in (short_token.token.id, ended_token.token.id, "nobody"):
        with pytest.raises(Rejected, match="is in force"):
            tokens.rotate(database, name, NOW + DAY)
    assert len(tokens.list_tokens(database)) == 2
    assert tokens.rotate(database, short_token.token.id, NOW + DAY - MICROSECOND)


def test_tokens_are_listed_by_role_and_party_oldest_first_and_after_one(database: Engine) -> None:
    parties = [
        ("merchant", "inn"),
        ("merchant", "lodge"),
        ("contributor", "inn"),
        ("merchant", "inn"),
        ("merchant", "inn"),
    ]
    times = [NOW, NOW, NOW, NOW, NOW - DAY]
    names = [
        tokens.issue(database, role, party, f"t{n}", at).token.id
        for n, ((role, party), at) in enumerate(zip(parties, times, strict=True))
    ]
    order = [names[4], *sorted(names[:4])]
    assert [token.id for token in tokens.list_tokens(database)] == order
    assert [token.id for token in tokens.list_tokens(database, limit=2)] == order[:2]
    for position, name in enumerate(order):
        assert [token.id for token in tokens.list_tokens(database, after=name)] == order[position + 1 :]
    inn = [name for name in order if name in (names[0], names[3], names[4])]
    assert [token.id for token in tokens.list_tokens(database, role="merchant", party="inn")] == inn
    assert {token.id for token in tokens.list_tokens(database, party="inn")} == {*inn, names[2]}
    assert {token.id for token in tokens.list_tokens(database, role="merchant")} == {*inn, names[1]}
    assert [token.id for token in tokens.list_tokens(database, role="merchant", party="inn", after=inn[0])] == inn[1:]
    with pytest.raises(Rejected, match="is in force"):
        tokens.list_tokens(database, after="nobody")


def test_token_fields_are_accepted_up_to_their_limits(database: Engine) -> None:
    assert tokens.issue(database, "merchant", "x" * 128, "x", NOW).token.party == "x" * 128
    with pytest.raises(Rejected, match="speaks for someone"):
        tokens.issue(database, "merchant", "x" * 129, "x", NOW)
    with pytest.raises(Rejected, match=f"unknown role `{'r' * 40}`"):
        tokens.check("r" * 41, "inn")
    issued_token = tokens.issue(database, "merchant", "inn", "x", NOW, scopes=["orders", "eligibility", "orders"])
    assert issued_token.token.scopes == ("eligibility", "orders")
    assert by_id(database)[issued_token.token.id].scopes == ("eligibility", "orders")
    assert (len(issued_token.token.id), len(issued_token.secret)) == (
        16,
        len(auth.OWN_PREFIX) + 43,
    )  # of 8 and of 32 random bytes
    for scopes in ((), ("orders", "everything")):
        with pytest.raises(Rejected, match="a group of routes"):
            tokens.check("merchant", "inn", scopes)


def test_a_token_may_have_no_name_but_none_that_reads_like_another(database: Engine) -> None:
    assert tokens.issue(database, "merchant", "inn", "", NOW).token.name == ""
    with pytest.raises(Rejected) as error:
        tokens.issue(database, "merchant", "inn", "de\u200bsk", NOW)  # with a space of no width
    assert (error.value.code, error.value.where) == ("bad_party", "name")
    assert len(tokens.list_tokens(database)) == 1


def test_only_a_token_of_their_own_reinstates_a_person(database: Engine) -> None:
    with writing(database) as connection:
        for person in ("ann", "bob"):
            erasure_tombstones.remember(connection, person, NOW)

    def erased_people() -> set[str]:
        with reading(database) as connection:
            return erasure_tombstones.find_erased(connection, ["ann", "bob"])

    tokens.issue(database, "merchant", "ann", "x", NOW)
    assert erased_people() == {"ann", "bob"}
    tokens.issue(database, "subject", "ann", "x", NOW)
    assert erased_people() == {"bob"}
