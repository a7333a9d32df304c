"""Read the records of a person that their page shows beside the score: history, orders, consents, disputes, reviews, looks."""

from typing import Any, Final

from api.people import disputes, looks, person, reviews
from api.store.database import Database, reading

MAX_RECORDS: Final = 100  # of each kind, the newest
View = dict[str, Any]


def list_records(database: Database, name: str) -> dict[str, list[View]]:
    """The newest records of each kind, at most `MAX_RECORDS`; the history oldest first, all others newest first."""
    with reading(database) as connection:
        return {
            "history": person.changes(connection, name)[-MAX_RECORDS:],
            "orders": person.orders(connection, name)[:MAX_RECORDS],
            "consent_requests": person.consents(connection, name)[:MAX_RECORDS],
            "disputes": [person.dispute_view(row) for row in disputes.of_person(connection, name)[:MAX_RECORDS]],
            "reviews": [person.review_view(row) for row in reviews.of_person(connection, name)[:MAX_RECORDS]],
            "looks": [person.look_view(look) for look in looks.of_person(connection, name, limit=MAX_RECORDS)],
        }
