"""Tokens beside each other: one is ended, rotated or listed, and the others stay as they are; and their edges."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from api.access import auth, tokens
from api.database import reading, writing
from api.evidence import departed
from engine.errors import Refused
from tests.api.world import NOW

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # test_tokens has both
DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)


def valid(engine: Engine, secret: str, at: object = NOW) -> bool:
    try:
        auth.caller(engine, secret, at)  # type: ignore[arg-type]
    except Refused:
        return False
    return True


def by_id(engine: Engine) -> dict[str, tokens.Listed]:
    return {token.id: token for token in tokens.listed(engine)}


def test_a_token_is_ended_by_its_id_and_several_by_their_name(engine: Engine) -> None:
    one, two, three = (tokens.issue(engine, "merchant", "inn", name, NOW) for name in ("desk", "desk", "bar"))
    assert tokens.revoke(engine, three.token.id, NOW) == 1
    assert [valid(engine, issued.secret) for issued in (one, two, three)] == [True, True, False]
    tokens.revoke_one(engine, one.token.id, NOW + DAY)
    assert [valid(engine, issued.secret) for issued in (one, two, three)] == [False, True, False]
    assert tokens.revoke(engine, "desk", NOW + 2 * DAY) == 1  # the other is ended already
    ends = {issued.token.id: by_id(engine)[issued.token.id].revoked_at for issued in (one, two, three)}
    assert list(ends.values()) == [NOW + DAY, NOW + 2 * DAY, NOW]


def test_ending_one_that_is_ended_does_nothing_and_one_that_never_was_is_refused(engine: Engine) -> None:
    issued = tokens.issue(engine, "merchant", "inn", "desk", NOW)
    tokens.revoke_one(engine, issued.token.id, NOW)
    tokens.revoke_one(engine, issued.token.id, NOW + DAY)
    assert by_id(engine)[issued.token.id].revoked_at == NOW
    with pytest.raises(Refused, match="`nobody` is in force") as refused:
        tokens.revoke_one(engine, "nobody", NOW)
    assert refused.value.code == "no_such_token"
    with pytest.raises(Refused, match=f"no token `{'x' * 60}` is"):
        tokens.revoke_one(engine, "x" * 61, NOW)
    assert tokens.revoke(engine, "nobody", NOW) == 0


def test_one_is_rotated_and_the_others_stay(engine: Engine) -> None:
    one, two = (tokens.issue(engine, "merchant", "inn", name, NOW, NOW + 30 * DAY) for name in ("desk", "bar"))
    forever = tokens.issue(engine, "admin", "ops", "ops", NOW)
    before = by_id(engine)
    auth.caller(engine, one.secret, NOW)
    new = tokens.rotated(engine, one.token.id, NOW + DAY)
    after = by_id(engine)
    assert {name: after[name] for name in (two.token.id, forever.token.id)} == {
        name: before[name] for name in (two.token.id, forever.token.id)
    }
    assert (after[one.token.id].expires_at, after[new.token.id].expires_at) == (NOW + 2 * DAY, NOW + 31 * DAY)
    assert (new.token.created_at, new.token.last_used_at, new.token.name) == (NOW + DAY, None, "desk")
    assert len(after) == 4


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
def test_how_long_the_new_one_lasts(
    engine: Engine, life: object, lasts: object, longest: object, expected: object
) -> None:
    old = tokens.issue(engine, "merchant", "inn", "desk", NOW, None if life is None else NOW + life)  # type: ignore[operator]
    new = tokens.rotated(engine, old.token.id, NOW + DAY, lasts, longest=longest)  # type: ignore[arg-type]
    assert new.token.expires_at == (None if expected is None else NOW + DAY + expected)  # type: ignore[operator]
    assert by_id(engine)[new.token.id] == new.token
    assert by_id(engine)[old.token.id].expires_at == NOW + 2 * DAY  # the grace, never longer than it was to


def test_what_is_over_or_ended_is_not_rotated(engine: Engine) -> None:
    short = tokens.issue(engine, "merchant", "inn", "short", NOW, NOW + DAY)
    ended = tokens.issue(engine, "merchant", "inn", "ended", NOW)
    tokens.revoke_one(engine, ended.token.id, NOW)
    for name in (short.token.id, ended.token.id, "nobody"):
        with pytest.raises(Refused, match="is in force"):
            tokens.rotated(engine, name, NOW + DAY)
    assert len(tokens.listed(engine)) == 2
    assert tokens.rotated(engine, short.token.id, NOW + DAY - MICROSECOND)


def test_tokens_are_listed_by_role_and_party_oldest_first_and_after_one(engine: Engine) -> None:
    said = [
        ("merchant", "inn"),
        ("merchant", "lodge"),
        ("contributor", "inn"),
        ("merchant", "inn"),
        ("merchant", "inn"),
    ]
    times = [NOW, NOW, NOW, NOW, NOW - DAY]
    names = [
        tokens.issue(engine, role, party, f"t{n}", at).token.id
        for n, ((role, party), at) in enumerate(zip(said, times, strict=True))
    ]
    order = [names[4], *sorted(names[:4])]
    assert [token.id for token in tokens.listed(engine)] == order
    assert [token.id for token in tokens.listed(engine, most=2)] == order[:2]
    for place, name in enumerate(order):
        assert [token.id for token in tokens.listed(engine, after=name)] == order[place + 1 :]
    inn = [name for name in order if name in (names[0], names[3], names[4])]
    assert [token.id for token in tokens.listed(engine, role="merchant", party="inn")] == inn
    assert {token.id for token in tokens.listed(engine, party="inn")} == {*inn, names[2]}
    assert {token.id for token in tokens.listed(engine, role="merchant")} == {*inn, names[1]}
    assert [token.id for token in tokens.listed(engine, role="merchant", party="inn", after=inn[0])] == inn[1:]
    with pytest.raises(Refused, match="is in force"):
        tokens.listed(engine, after="nobody")


def test_the_edges_of_what_a_token_may_be(engine: Engine) -> None:
    assert tokens.issue(engine, "merchant", "x" * 128, "x", NOW).token.party == "x" * 128
    with pytest.raises(Refused, match="speaks for someone"):
        tokens.issue(engine, "merchant", "x" * 129, "x", NOW)
    with pytest.raises(Refused, match=f"unknown role `{'r' * 40}`"):
        tokens.check("r" * 41, "inn")
    issued = tokens.issue(engine, "merchant", "inn", "x", NOW, scopes=["orders", "eligibility", "orders"])
    assert issued.token.scopes == ("eligibility", "orders")
    assert by_id(engine)[issued.token.id].scopes == ("eligibility", "orders")
    assert (len(issued.token.id), len(issued.secret)) == (16, len(auth.PREFIX) + 43)  # of 8 and of 32 random bytes
    for scopes in ((), ("orders", "everything")):
        with pytest.raises(Refused, match="a group of routes"):
            tokens.check("merchant", "inn", scopes)


def test_a_person_comes_back_by_a_token_of_their_own_and_by_no_other(engine: Engine) -> None:
    with writing(engine) as connection:
        for person in ("ann", "bob"):
            departed.remember(connection, person, NOW)

    def left() -> set[str]:
        with reading(engine) as connection:
            return departed.gone(connection, ["ann", "bob"])

    tokens.issue(engine, "merchant", "ann", "x", NOW)
    assert left() == {"ann", "bob"}
    tokens.issue(engine, "subject", "ann", "x", NOW)
    assert left() == {"bob"}
