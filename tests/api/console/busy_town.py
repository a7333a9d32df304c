"""A town with three months of answers, orders, callbacks and submissions, stored directly: figures for pages to show."""

import json
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import insert, update

from api.evidence import intake
from api.merchants.services import Terms, sign_up
from api.runtime.context import AppContext
from api.runtime.scoring import score_everyone
from api.store.clock import micros
from api.store.database import writing
from api.store.tables import BUILDS, MESSAGES
from graph.datasets.town import END
from tests.api.supervision.sum_rows import insert_decision, insert_move, insert_order
from tests.api.town import build_features

DAY: Final = timedelta(days=1)
PERKS: Final = ("hotel", "car", "bicycle", "power_bank")
OUTCOMES: Final = (
    "ADMIT",
    "ADMIT",
    "ADMIT",
    "PARTIAL",
    "DECLINE",
    "ADMIT",
    "UNSCORABLE",
    "ADMIT",
    "DECLINE",
    "REFUSED",
)
# Of ten orders of each band, so many end overdue.
OVERDUE: Final = {"poor": 3, "fair": 2, "good": 1, "excellent": 1, "outstanding": 0}
DAYS: Final = 90


def fill_town(context: AppContext, now: datetime) -> None:
    """Fill a town's database with a past that ends now."""
    _build_again(context, now)
    sign_up(context.database, "inn", "hotel", Terms("hotel", callback="https://inn.example/hook"), now - 80 * DAY)
    sign_up(context.database, "wheels", "car", Terms("car", "enjoy_first", 90_000, ("p-1", "p-2")), now - 20 * DAY)
    _answer(context, now)
    _call_back(context, now)
    _submit(context, now)


def _build_again(context: AppContext, now: datetime) -> None:
    """The first build becomes one of three months ago, as of half a year before the second."""
    with writing(context.database) as connection:
        connection.execute(update(BUILDS).values(computed_at=micros(now - 95 * DAY)))
    score_everyone(context, build_features(context.database, END - 150 * DAY, "perks", now - DAY))


def _answer(context: AppContext, now: datetime) -> None:
    seq, moves = 0, 0
    with writing(context.database) as connection:
        for day in range(DAYS):
            for n in range(12 + day // 9 + 5 * (day % 7 == 5)):
                seq += 1
                band = list(OVERDUE)[seq * 7 % 5]
                outcome = OUTCOMES[(seq * 3 + day) % 10]
                at = now - (DAYS - 1 - day) * DAY - timedelta(minutes=n)
                insert_decision(connection, seq, at, PERKS[seq % 4], outcome, band)
                if outcome == "ADMIT" and day < DAYS - 1:
                    moves += 1
                    order = insert_order(connection, seq, at)
                    overdue = seq // 5 % 10 < OVERDUE[band]
                    insert_move(connection, moves, order, "due", "overdue" if overdue else "settled", at + DAY)


def _call_back(context: AppContext, now: datetime) -> None:
    states = (("failed", 16, 503, 30), ("failed", 16, None, 50), ("waiting", 2, 500, 1), ("sent", 1, 204, 2))
    with writing(context.database) as connection:
        for n, (state, attempts, status, hours) in enumerate(states):
            at = micros(now - timedelta(hours=hours))
            row: dict[str, object] = {
                **{"id": f"msg_{n:032x}", "merchant": "inn", "order": "o-4", "event": "order.completed", "body": "{}"},
                **{"url": "https://inn.example/hook", "state": state, "attempts": attempts, "status": status},
                **{"created_at": at, "next_at": at},
            }
            connection.execute(insert(MESSAGES).values(row))


def _submit(context: AppContext, now: datetime) -> None:
    """Of the last submission, one row is refused: there is no level 9."""
    for n, party in enumerate(("bank-north", "bank-north", "telecom")):
        levels = (1, 2, 9) if party == "telecom" else (1, 2, 3)
        rows = [
            json.dumps(
                {
                    **{"event_id": f"e-{n}-{level}", "kind": "person.enrolled", "subject": f"zoe-{n}-{level}"},
                    **{"happened_at": "2025-12-01T00:00:00Z", "identity_level": level},
                }
            ).encode()
            for level in levels
        ]
        intake.ingest(context.database, party, rows, now - (3 - n) * DAY, vocabulary=context.vocabulary)
