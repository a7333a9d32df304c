"""The chain of moves binds the order columns that decisions read: we detect every change of them. On both databases."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine, text

from api.orders.move_chain import TERM_COLUMNS
from api.runtime.context import AppContext
from api.store.database import open_database, reading
from api.supervision import audit
from engine.decide.evaluators import Evaluators
from tests.api.audit_client import AuditClient, tamper
from tests.api.order_client import OrderClient
from tests.api.supervision.test_legacy_chains import downgrade_chain

TEXT_COLUMNS = ("merchant", "service", "perk", "currency", "mode", "state")
MOVE_COLUMNS = ("action", "before", "after", "total", "at", "decisions", "terms", "previous_hash", "hash", "counts")
COUNT_MISMATCH = "the orders and answers that it counted do not match the moves of orders"


@pytest.fixture
def client(town: AppContext) -> OrderClient:
    """Three orders of one person: cancelled, paid, in service; and an answer without an order."""
    client = OrderClient(town)
    client.create_order("O-1")
    client.cancel("O-1")
    client.create_due_order("O-2")
    client.post_action("O-2", "sync", {"paid_at": client.now.isoformat()})
    client.start_order("O-3")
    client.decide()
    assert first_break(town.database) is None
    return client


def first_break(database: Engine) -> str | None:
    chain_break = audit.verify(database).first_break
    return None if chain_break is None else chain_break.problem


def order_id(database: Engine, number: str) -> str:
    with reading(database) as connection:
        query = text("select id from orders where out_order_no = :number")
        return str(connection.execute(query, {"number": number}).scalar_one())


def leave(client: OrderClient) -> Any:
    headers = client.bearer(client.person_token)
    return client.http.request("DELETE", "/v1/me", json={"confirm": "leave"}, headers=headers)


def save_tables(database: Engine, *tables: str) -> None:
    with database.begin() as connection:
        for table in tables:
            connection.execute(text(f"create table kept_{table} as select * from {table}"))


def restore_tables(database: Engine, *tables: str) -> None:
    for table in tables:
        tamper(database, f"delete from {table}", f"insert into {table} select * from kept_{table}")


def test_a_change_of_any_order_column_is_detected(client: OrderClient) -> None:
    database = client.context.database
    name = order_id(database, "O-3")
    save_tables(database, "orders")
    changes = dict.fromkeys(TERM_COLUMNS, "1234") | dict.fromkeys(TEXT_COLUMNS, "'other'")
    del changes["decision"]
    for column, value in (changes | {"disputed": "true", "subject": "'nobody-else'"}).items():
        tamper(database, f"update orders set {column} = {value} where id = '{name}'")
        assert first_break(database) == f"order {name}: its columns differ from its last move: {column}"
        restore_tables(database, "orders")
    tamper(database, f"update orders set decision = 'other' where id = '{name}'")
    assert first_break(database) == "there is an order of it, and no decision"
    restore_tables(database, "orders")
    tamper(database, f"update orders set subject = null where id = '{name}'")
    assert first_break(database) == f"order {name}: its columns differ from its last move: subject"
    tamper(database, f"delete from orders where id = '{name}'")
    assert first_break(database) == f"order {name}: it has moves, and the order is missing"
    restore_tables(database, "orders")
    assert first_break(database) is None


def test_a_changed_dropped_or_inserted_move_is_detected(client: OrderClient) -> None:
    database = client.context.database
    save_tables(database, "order_moves", "chain_head")
    with reading(database) as connection:
        seqs = connection.execute(text("select seq from order_moves order by seq")).scalars().all()
    for column in MOVE_COLUMNS:
        value = "1234" if column in ("total", "at", "decisions") else "'other'"
        tamper(database, f"update order_moves set {column} = {value} where seq = {seqs[2]}")
        problem = first_break(database)
        assert problem is not None, column
        assert f"its move {seqs[2]} " in problem, column
        restore_tables(database, "order_moves")
    tamper(database, f"update order_moves set counts = null where seq = {seqs[2]}")
    assert f"its move {seqs[2]} was altered" in (first_break(database) or "")
    restore_tables(database, "order_moves")
    for seq, later_seq in pairwise(seqs):
        tamper(database, f"delete from order_moves where seq = {seq}")
        assert f"its move {later_seq} does not follow the one before: one was dropped or put in" in (
            first_break(database) or ""
        )
        restore_tables(database, "order_moves")
    tamper(database, f"delete from order_moves where seq = {seqs[-1]}")
    assert first_break(database) == f"{len(seqs)} moves of orders were recorded, and {len(seqs) - 1} are there"
    restore_tables(database, "order_moves")
    tamper(database, "delete from chain_head where id = 2")
    assert first_break(database) == "the head of the chain of orders' moves is missing"


def test_a_move_says_what_it_counted_and_nothing_of_other_merchants(client: OrderClient) -> None:
    """`create`, `confirm` and all others, by hand: an order does not count itself before its first move."""
    with reading(client.context.database) as connection:
        moves = connection.execute(text("select action, counts from order_moves order by seq")).all()
    none, running, due = (
        f'{{"in_service":{n},"overdue":0,"unpaid":{unpaid}}}' for n, unpaid in ((0, 0), (1, 0), (0, 1))
    )
    assert [tuple(move) for move in moves] == [
        *(("create", none), ("cancel", none)),
        *(("create", none), ("confirm", none), ("complete", running), ("sync", due)),
        *(("create", none), ("confirm", none)),
    ]


def test_an_order_that_was_created_beside_a_forged_one_is_named_even_when_it_is_put_right(client: OrderClient) -> None:
    database = client.context.database
    decision = client.decide()["decision_id"]
    save_tables(database, "orders")
    tamper(database, f"update orders set state = 'cancelled' where id = '{order_id(database, 'O-3')}'")
    assert client.create_order("O-4", decision).status_code == 201
    tamper(database, f"update orders set state = 'in_service' where id = '{order_id(database, 'O-3')}'")
    name = order_id(database, "O-4")
    with reading(database) as connection:
        seq = connection.execute(text("select max(seq) from order_moves")).scalar_one()
    assert first_break(database) == f"order {name}: its move {seq} counted other orders than the moves before it show"
    client.confirm(name)
    assert first_break(database) == f"order {name}: its move {seq} counted other orders than the moves before it show"


def test_moves_rewritten_with_their_head_contradict_the_decisions(client: OrderClient) -> None:
    """We forge the last move and the head, as if the order had not begun: the next decision contradicts them."""
    database = client.context.database
    name = order_id(database, "O-3")
    with reading(database) as connection:
        last_seq = connection.execute(text("select max(seq) from order_moves")).scalar()
        hash_ = connection.execute(text(f"select previous_hash from order_moves where seq = {last_seq}")).scalar()
        changed_at = connection.execute(text(f"select changed_at from orders where id = '{name}'")).scalar()
    tamper(
        database,
        f"delete from order_moves where seq = {last_seq}",
        f"update chain_head set length = length - 1, hash = '{hash_}' where id = 2",
        f"update orders set state = 'created', changed_at = {changed_at} where id = '{name}'",
    )
    assert first_break(database) == "the moves of orders before it are not those that its record names"


@pytest.mark.parametrize(
    "assignment",
    ["state = 'cancelled'", "closed_at = 5", "decision = 'gone'"],
)
def test_a_decision_that_read_a_forged_order_is_reported_even_after_the_forgery_is_undone(
    client: OrderClient, assignment: str
) -> None:
    database = client.context.database
    name = order_id(database, "O-3")
    save_tables(database, "orders")
    tamper(database, f"update orders set {assignment} where id = '{name}'")
    client.now += timedelta(minutes=1)
    decision = client.ask(client.person, amount=100).json()
    restore_tables(database, "orders")
    chain_break = audit.verify(database).first_break
    assert chain_break is not None
    assert (chain_break.id, chain_break.problem) == (decision["decision_id"], COUNT_MISMATCH)


def test_an_erasure_removes_no_column_that_the_chain_binds(client: OrderClient) -> None:
    database = client.context.database
    other = str(client.scores.filter(client.scores["score"] >= 750)["person"][1])
    client.cancel("O-3")
    client.ask(other, amount=100)
    assert leave(client).status_code == 200
    report = audit.verify(database)
    assert report.first_break is None
    assert report.erased > 0
    client.ask(other, amount=100)
    assert first_break(database) is None
    name = order_id(database, "O-3")
    tamper(database, f"update orders set state = 'settled' where id = '{name}'")
    assert first_break(database) == f"order {name}: its columns differ from its last move: state"


def test_older_orders_are_bound_by_their_later_moves(client: OrderClient, shipped_evaluators: Evaluators) -> None:
    database = client.context.database
    name, url = order_id(database, "O-3"), database.url.render_as_string(hide_password=False)
    downgrade_chain(database)
    database.dispose()
    audit_client = AuditClient(AppContext(open_database(url), shipped_evaluators))
    migrated_database = audit_client.context.database
    assert first_break(migrated_database) is None
    audit_client.decide(client.person, amount=100, at=client.advance(minutes=1))
    assert first_break(migrated_database) is None
    save_tables(migrated_database, "orders", "order_moves")
    tamper(migrated_database, f"update order_moves set after = 'due' where \"order\" = '{name}'")
    assert "was altered" in (first_break(migrated_database) or "")
    restore_tables(migrated_database, "order_moves")
    tamper(migrated_database, f"update orders set state = 'cancelled' where id = '{name}'")
    assert first_break(migrated_database) == f"order {name}: its columns differ from its last move: state"
    forged_decision = audit_client.decide(client.person, amount=100, at=client.advance(minutes=1))
    restore_tables(migrated_database, "orders")
    chain_break = audit.verify(migrated_database).first_break
    assert chain_break is not None
    assert (chain_break.id, chain_break.problem) == (forged_decision.id, COUNT_MISMATCH)
    migrated_database.dispose()
