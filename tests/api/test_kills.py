"""The soak of kills finds whatever is lost. What it finds in fifty kills is for `make soak`."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from api.clock import micros
from api.world import World
from tests.api.ordering import Counter
from tests.api.receiver import Receiver, receiving
from tests.effort import pairs
from tests.soak.kills import Load, lost, soaked


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_everything_that_can_be_lost_is_found(town: World, town_url: str, receiver: Receiver) -> None:
    counter = Counter(town, callback=receiver.url)
    made = counter.due()
    counter.do("O-1", "pay")
    load = Load(
        town_url, {}, {}, "", orders=[("inn", "O-1", state) for state in ("created", "in_service", "due", "settled")]
    )
    load.decisions.append((made["decision_id"], "ADMIT", 50_000))
    assert set(lost(load, receiver).values()) == {0}
    assert len(receiver.got) == 4

    load.decisions.append(("never", "ADMIT", 1))
    load.orders.append(("inn", "O-1", "overdue"))
    load.events.append("soak-1")
    receiver.got.pop()
    with town.database.begin() as connection:
        row = "'m', 'inn', '{}', 'order.paid', '', '{{}}', {}, {}, 9, 'failed'".format(
            made["order_id"], *[micros(counter.now)] * 2
        )
        columns = 'id, merchant, "order", event, url, body, created_at, next_at, attempts, state'
        connection.execute(text(f"INSERT INTO messages ({columns}) VALUES ({row})"))
        connection.execute(text("UPDATE orders SET state = 'cancelled'"))
    found = lost(load, receiver)
    assert {what: number for what, number in found.items() if number} == {
        "limits or states": 1,
        "decisions answered and not there": 1,
        "orders answered and not there": 1,
        "events accepted and not there": 1,
        "changes without a message": 1,
        "messages that never came": 2,
        "outcomes not in the ledger, or twice": 2,
    }


@pytest.mark.skipif(not pairs(0, 1), reason="half a minute: with IFTAH_AGREEMENT=full")
def test_a_few_kills_lose_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    load, callbacks, found = soaked(f"sqlite:///{tmp_path_factory.mktemp('kills') / 'iftah.db'}", 3)
    assert set(found.values()) == {0}
    assert min(len(load.decisions), len(load.orders), len(load.events), callbacks) > 0
