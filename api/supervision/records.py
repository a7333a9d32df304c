"""Records: whether what stands beside an entry of the chain is what the entry commits to.

An entry commits to its record by a salted hash. Later decisions do not read the record: they read columns beside it. So
every such column must say what the record says, and a decision must say that it read what the one before it says.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from api.clock import micros
from api.decisions.decisions import REFUSED, committed
from api.tables import DECISION_SUBJECTS, DECISIONS

COLUMNS: Final = ("subject", "merchant", "transaction_id", "context", "held_since", "salt", "record")
Walked = Mapping[str, Any]  # an entry, and `about_*`: what stands beside it, null where it was erased


def altered(row: Walked) -> str | None:
    """What is wrong with what stands beside an entry, if it is still there."""
    if row["about_salt"] is None:
        return None
    if committed(row["about_salt"], row["about_record"]) != row["commitment"]:
        return "its record was altered"
    record = json.loads(row["about_record"])
    columns = {name: row[f"about_{name}"] for name in ("subject", "merchant", "transaction_id", "held_since")}
    columns["context"] = json.loads(row["about_context"] or "{}")
    differing = sorted(name for name, value in _recorded(record, columns).items() if value != columns[name])
    if not differing:
        return None
    return f"what later questions read of it was altered: {', '.join(differing)}"


def _recorded(record: Mapping[str, Any], columns: Mapping[str, Any]) -> dict[str, Any]:
    """What a record says of each column.

    Records of before the context and the subject were put into each of them say nothing of either in a refusal: there
    the column is taken at its word.
    """
    decision = record.get("decision") or {}
    since = decision.get("held_since")
    asked = (decision.get("question") or {}).get("subject") or columns["subject"]
    return {
        "subject": record.get("subject", asked),
        "merchant": record["merchant"],
        # A question that was refused is found by no transaction: it may be asked again.
        "transaction_id": None if "refused" in record else record["transaction_id"],
        "context": record.get("context", columns["context"]),
        "held_since": None if since is None else micros(datetime.fromisoformat(since)),
    }


def misread(connection: Connection, rows: Sequence[Walked]) -> Mapping[int, str]:
    """Of these decisions, by `seq`: those that took a perk as held since another moment than the decision before says.

    So a moment that was forged before a decision, and put right after it, shows too. Cost: a look-up for each decision
    about a perk that was held.
    """
    found = {}
    for row in rows:
        since = _held_before(row)
        if since is None:
            continue
        before = connection.execute(_before(row)).scalar()
        if before is None or since != min(before, row["decided_at"]):
            found[row["seq"]] = "it took the perk as held since another moment than the decision before it says"
    return found


def _held_before(row: Walked) -> int | None:
    """Since when the perk was held, by what the decision read; None when it was not, or that is not recorded."""
    if row["about_record"] is None or '"held_since":"' not in row["about_record"]:
        return None
    since = ((json.loads(row["about_record"]).get("decision") or {}).get("question") or {}).get("held_since")
    return None if since is None else micros(datetime.fromisoformat(since))


def _before(row: Walked) -> Any:
    both = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    same = (DECISION_SUBJECTS.c.subject == row["about_subject"]) & (DECISIONS.c.perk == row["perk"])
    earlier = (DECISIONS.c.seq < row["seq"]) & (DECISIONS.c.outcome != REFUSED)
    query = select(DECISION_SUBJECTS.c.held_since).select_from(both).where(same, earlier)
    return query.order_by(DECISIONS.c.seq.desc()).limit(1)
