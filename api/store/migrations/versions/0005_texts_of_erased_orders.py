"""Orders of erased people keep no text of theirs, and no digest from which you could guess a text.

Until now an erasure kept texts by their shape; `api/people/redaction.py` keeps them by field. We copy its list as of
this version.
"""

import json
from typing import Any

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FIELDS_TO_KEEP: dict[str, Any] = {
    "risk_fund": {"name": True, "amount": True},
    "time_range": {"start_time": True, "end_time": True},
    "post_payments": {"amount": True, "count": True},
    "post_discounts": {"amount": True},
    "damage_amount": True,
    "need_user_confirm": True,
    "paid_at": True,
    "dispute": {"by": True},
}
TEXTS = ("service_introduction", "location", "attach", "cancel_reason")


def upgrade() -> None:
    connection = op.get_bind()
    placeholder = "?" if connection.dialect.name == "sqlite" else "%s"
    erased_orders = "SELECT id FROM orders WHERE subject IS NULL"
    for name, content in connection.exec_driver_sql("SELECT id, content FROM orders WHERE subject IS NULL").all():
        blank = json.dumps(_redact_content(json.loads(content)), sort_keys=True, ensure_ascii=False)
        connection.exec_driver_sql(
            f"UPDATE orders SET content = {placeholder}, digest = '' WHERE id = {placeholder}", (blank, name)
        )
    connection.exec_driver_sql(f"UPDATE order_moves SET digest = '' WHERE \"order\" IN ({erased_orders})")
    messages = connection.exec_driver_sql(f'SELECT id, body FROM messages WHERE "order" IN ({erased_orders})').all()
    for name, text in messages:
        body = json.loads(text)
        data = {field: value for field, value in body["data"].items() if field in FIELDS_TO_KEEP or field in TEXTS}
        body["data"] |= _redact_content(data)
        blank = json.dumps(body, ensure_ascii=False)
        connection.exec_driver_sql(f"UPDATE messages SET body = {placeholder} WHERE id = {placeholder}", (blank, name))


def _redact_content(data: dict[str, Any]) -> dict[str, Any]:
    return {name: _redact(value, FIELDS_TO_KEEP.get(name, {})) for name, value in data.items()}


def _redact(value: Any, rule: Any) -> Any:
    if isinstance(value, dict):
        return {name: _redact(v, {} if rule is True else rule.get(name, {})) for name, v in value.items()}
    if isinstance(value, list):
        return [_redact(v, rule) for v in value]
    if rule is True:
        return value
    return "" if isinstance(value, str) else None
