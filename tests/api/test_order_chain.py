"""What a decision reads of orders is bound by their moves: whoever changes any of it is found out. On both databases."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine, text

from api.database import open_database, reading
from api.orders.move_chain import TERMS
from api.supervision import audit
from api.world import World
from engine.engines import Engines
from tests.api.audited import Office, tampered
from tests.api.ordering import Counter
from tests.api.test_chains_of_before import as_before

TEXTS = ("merchant", "service", "perk", "currency", "mode", "state")
MOVED = ("action", "before", "after", "total", "at", "decisions", "terms", "previous_hash", "hash")
COUNTED = "what it counted of the person's orders and answers is not what their moves say"


@pytest.fixture
def counter(town: World) -> Counter:
    """Three orders of one person: cancelled, paid, in service; and an answer that is none yet."""
    found = Counter(town)
    found.order("O-1")
    found.cancel("O-1")
    found.due("O-2")
    found.do("O-2", "sync", {"paid_at": found.now.isoformat()})
    found.begun("O-3")
    found.decided()
    assert broken(town.database) is None
    return found


def broken(engine: Engine) -> str | None:
    found = audit.verify(engine).broken
    return None if found is None else found.what


def order_id(engine: Engine, number: str) -> str:
    with reading(engine) as connection:
        query = text("select id from orders where out_order_no = :number")
        return str(connection.execute(query, {"number": number}).scalar_one())


def leave(counter: Counter) -> Any:
    headers = counter.bearer(counter.me)
    return counter.client.request("DELETE", "/v1/me", json={"confirm": "leave"}, headers=headers)


def kept(engine: Engine, *tables: str) -> None:
    with engine.begin() as connection:
        for table in tables:
            connection.execute(text(f"create table kept_{table} as select * from {table}"))


def restored(engine: Engine, *tables: str) -> None:
    for table in tables:
        tampered(engine, f"delete from {table}", f"insert into {table} select * from kept_{table}")


def test_no_column_of_an_order_can_be_changed_unseen(counter: Counter) -> None:
    engine = counter.world.database
    name = order_id(engine, "O-3")
    kept(engine, "orders")
    changes = dict.fromkeys(TERMS, "1234") | dict.fromkeys(TEXTS, "'other'")
    del changes["decision"]
    for column, value in (changes | {"disputed": "true", "subject": "'nobody-else'"}).items():
        tampered(engine, f"update orders set {column} = {value} where id = '{name}'")
        assert broken(engine) == f"order {name}: it is not as its last move left it: {column}"
        restored(engine, "orders")
    tampered(engine, f"update orders set decision = 'other' where id = '{name}'")
    assert broken(engine) == "there is an order of it, and no decision"
    restored(engine, "orders")
    tampered(engine, f"update orders set subject = null where id = '{name}'")
    assert broken(engine) == f"order {name}: it is not as its last move left it: subject"
    tampered(engine, f"delete from orders where id = '{name}'")
    assert broken(engine) == f"order {name}: it has moves, and is not there"
    restored(engine, "orders")
    assert broken(engine) is None


def test_no_move_can_be_changed_dropped_or_put_in_unseen(counter: Counter) -> None:
    engine = counter.world.database
    kept(engine, "order_moves", "chain_head")
    with reading(engine) as connection:
        seqs = connection.execute(text("select seq from order_moves order by seq")).scalars().all()
    for column in MOVED:
        value = "1234" if column in ("total", "at", "decisions") else "'other'"
        tampered(engine, f"update order_moves set {column} = {value} where seq = {seqs[2]}")
        found = broken(engine)
        assert found is not None, column
        assert f"its move {seqs[2]} " in found, column
        restored(engine, "order_moves")
    for seq, after in pairwise(seqs):
        tampered(engine, f"delete from order_moves where seq = {seq}")
        assert f"its move {after} does not follow the one before: one was dropped or put in" in (broken(engine) or "")
        restored(engine, "order_moves")
    tampered(engine, f"delete from order_moves where seq = {seqs[-1]}")
    assert broken(engine) == f"orders were moved {len(seqs)} times, and {len(seqs) - 1} moves are there"
    restored(engine, "order_moves")
    tampered(engine, "delete from chain_head where id = 2")
    assert broken(engine) == "the head of the chain of orders' moves is not kept any more"


def test_moves_written_anew_with_their_head_do_not_fit_the_decisions(counter: Counter) -> None:
    """The last move and the head are made to look as if the order had not begun: the decision after it says otherwise."""
    engine = counter.world.database
    name = order_id(engine, "O-3")
    with reading(engine) as connection:
        last = connection.execute(text("select max(seq) from order_moves")).scalar()
        hash_ = connection.execute(text(f"select previous_hash from order_moves where seq = {last}")).scalar()
        before = connection.execute(text(f"select changed_at from orders where id = '{name}'")).scalar()
    tampered(
        engine,
        f"delete from order_moves where seq = {last}",
        f"update chain_head set length = length - 1, hash = '{hash_}' where id = 2",
        f"update orders set state = 'created', changed_at = {before} where id = '{name}'",
    )
    assert broken(engine) == "the moves of orders before it are not those that it was made after"


@pytest.mark.parametrize(
    "forged",
    ["state = 'cancelled'", "closed_at = 5", "decision = 'gone'"],
)
def test_a_decision_that_read_a_forged_order_is_named_even_when_it_is_put_right(counter: Counter, forged: str) -> None:
    engine = counter.world.database
    name = order_id(engine, "O-3")
    kept(engine, "orders")
    tampered(engine, f"update orders set {forged} where id = '{name}'")
    counter.now += timedelta(minutes=1)
    answer = counter.ask(counter.person, amount=100).json()
    restored(engine, "orders")
    found = audit.verify(engine).broken
    assert found is not None
    assert (found.id, found.what) == (answer["decision_id"], COUNTED)


def test_who_leaves_takes_nothing_with_them_that_is_bound(counter: Counter) -> None:
    engine = counter.world.database
    other = str(counter.scores.filter(counter.scores["score"] >= 750)["person"][1])
    counter.cancel("O-3")
    counter.ask(other, amount=100)
    assert leave(counter).status_code == 200
    found = audit.verify(engine)
    assert found.broken is None
    assert found.erased > 0
    counter.ask(other, amount=100)
    assert broken(engine) is None
    name = order_id(engine, "O-3")
    tampered(engine, f"update orders set state = 'settled' where id = '{name}'")
    assert broken(engine) == f"order {name}: it is not as its last move left it: state"


def test_orders_of_before_are_bound_as_they_are_and_what_follows_is_bound_whole(
    counter: Counter, shipped_engines: Engines
) -> None:
    engine = counter.world.database
    name, url = order_id(engine, "O-3"), engine.url.render_as_string(hide_password=False)
    as_before(engine)
    engine.dispose()
    office = Office(World(open_database(url), shipped_engines))
    again = office.world.database
    assert broken(again) is None
    office.decided(counter.person, amount=100, at=counter.later(minutes=1))
    assert broken(again) is None
    kept(again, "orders", "order_moves")
    tampered(again, f"update order_moves set after = 'due' where \"order\" = '{name}'")
    assert "was altered" in (broken(again) or "")
    restored(again, "order_moves")
    tampered(again, f"update orders set state = 'cancelled' where id = '{name}'")
    assert broken(again) == f"order {name}: it is not as its last move left it: state"
    forged = office.decided(counter.person, amount=100, at=counter.later(minutes=1))
    restored(again, "orders")
    found = audit.verify(again).broken
    assert found is not None
    assert (found.id, found.what) == (forged.id, COUNTED)
    again.dispose()
