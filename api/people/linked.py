"""The other ids of a person, as far as the person may see them."""

from datetime import datetime

from sqlalchemy import Connection

from api.consent import permissions
from api.features import linked_ids
from api.store.database import fetch_rows


def linked_classes(connection: Connection, person: str, now: datetime) -> dict[str, frozenset[str]]:
    """The other ids of the person, each with the classes of its evidence that count and to which it consents now.

    Empty once one of the ids has withdrawn its consent to identity evidence.
    """
    (rows,) = fetch_rows(connection, linked_ids.query_for([person]))
    stored = linked_ids.collect(rows).get(person, {})
    if not stored:
        return {}
    (consent_rows,) = fetch_rows(connection, permissions.consent_query(stored, now))
    grants = permissions.grants_by_person(consent_rows, now)
    allowed = {one: classes & permissions.classes_for(grants, (one, None)) for one, classes in stored.items()}
    in_force = all("identity" in classes for classes in allowed.values())
    return {one: classes for one, classes in allowed.items() if one != person} if in_force else {}
