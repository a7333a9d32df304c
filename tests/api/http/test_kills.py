"""The soak test of kills finds losses. `make soak` makes its fifty kills."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from api.runtime.context import AppContext
from api.store.clock import micros
from tests.api.callback_receiver import Receiver, run_receiver
from tests.api.order_client import OrderClient
from tests.effort import only_in_full
from tests.soak.kills import ClientState, count_losses, soak


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as server:
        yield server


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_the_soak_test_detects_every_kind_of_loss(town: AppContext, town_url: str, receiver: Receiver) -> None:
    client = OrderClient(town, callback=receiver.url)
    order = client.create_due_order()
    client.post_action("O-1", "pay")
    load = ClientState(
        town_url, {}, {}, "", orders=[("inn", "O-1", state) for state in ("created", "in_service", "due", "settled")]
    )
    load.decisions.append((order["decision_id"], "ADMIT", 50_000))
    assert set(count_losses(load, receiver).values()) == {0}
    assert len(receiver.requests) == 4

    load.decisions.append(("never", "ADMIT", 1))
    load.orders.append(("inn", "O-1", "overdue"))
    load.events.append("soak-1")
    receiver.requests.pop()
    with town.database.begin() as connection:
        row = "'m', 'inn', '{}', 'order.paid', '', '{{}}', {}, {}, 9, 'failed'".format(
            order["order_id"], *[micros(client.now)] * 2
        )
        columns = 'id, merchant, "order", event, url, body, created_at, next_at, attempts, state'
        connection.execute(text(f"INSERT INTO messages ({columns}) VALUES ({row})"))
        connection.execute(text("UPDATE orders SET state = 'cancelled'"))
    losses = count_losses(load, receiver)
    assert {name: number for name, number in losses.items() if number} == {
        "limits or states": 1,
        "decisions answered and not there": 1,
        "orders answered and not there": 1,
        "events accepted and not there": 1,
        "changes without a message": 1,
        "messages that never came": 2,
        "outcomes not in the ledger, or twice": 2,
    }


@only_in_full
def test_a_few_kills_lose_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    load, callbacks, losses = soak(f"sqlite:///{tmp_path_factory.mktemp('kills') / 'iftah.db'}", 3)
    assert set(losses.values()) == {0}
    assert min(len(load.decisions), len(load.orders), len(load.events), callbacks) > 0
