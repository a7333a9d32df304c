"""Imports as at a terminal: files, a map, the command, and the events in the ledger after it."""

import json
from pathlib import Path
from typing import Any, Final

from api.evidence import ledger
from api.store.database import open_database
from tests.api.terminal import CompletedCommand, environment, run_in_process

ORDERS: Final = """\
order,customer,Status,total,currency,placed
1,ann,paid,182.50,CNY,03/01/2026 09:30
2,ben,late,99,CNY,04/01/2026 10:00
3,ann,paid,20,CNY,05/01/2026 10:00
4,dee,paid,1000,JPY,06/01/2026 10:00
"""
ORDER_MAP: Final = """\
kind: map
timezone: Asia/Shanghai
columns:
  status: Status
set:
  contributor: {value: shop}
  subject: customer
  happened_at: {column: placed, format: "%d/%m/%Y %H:%M"}
  currency: currency
events:
  - kind: person.enrolled
    first_only: true
    set:
      event_id: "enrolled-{customer}"
      identity_level: {value: "1"}
  - kind: consent.granted
    first_only: true
    set:
      event_id: "consent-{customer}"
      purpose: {value: perks}
      classes: {value: "identity,credit,behaviour"}
  - kind: payment.made
    when: status == 'paid'
    set:
      event_id: "order-{order}"
      other: {value: shop}
      amount: {column: total, scale: currency}
"""
# A map of payments with one field of the test's own.
PAYMENT_MAP: Final = """\
kind: map
set:
  contributor: {value: shop}
  subject: customer
  other: {value: shop}
  happened_at: {column: at, zone: UTC}
  currency: {value: CNY}
  amount: total
  event_id: "{id}"
"""
PAYMENTS: Final = "id,customer,at,total\n1,ann,2026-01-03T09:30:00,1200\n2,ben,2026-01-04T10:00:00Z,5\n"


class ImportRunner:
    """Runs `iftah import` in a folder of its own, on a database."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def run(self, *args: str) -> CompletedCommand:
        """Run the command with these words."""
        return run_in_process(("import", *args), environment(IFTAH_DATABASE_URL=self.url), self.folder)

    def import_text(self, map_text: str, content: str | bytes, name: str = "in.csv", *options: str) -> CompletedCommand:
        """Import a file with this content by this map."""
        self.write("map.yaml", map_text)
        self.write(name, content)
        return self.run(name, *options)

    def events(self, *columns: str) -> list[Any]:
        """These columns of the events in the ledger, in order of appending; of one column its values alone."""
        database = open_database(self.url)
        rows = ledger.read(database).select(columns).rows()
        database.dispose()
        return [row[0] for row in rows] if len(columns) == 1 else rows

    def rejects(self, name: str = "in.csv") -> list[tuple[int, str]]:
        """Line and reason of the refused rows of a file."""
        lines = (self.folder / f"{name}.rejects.ndjson").read_text(encoding="utf-8").splitlines()
        return [(row["line"], row["reason"]) for row in map(json.loads, lines)]


def with_fields(fields: str, kind: str = "payment.made", when: str = "") -> str:
    """PAYMENT_MAP with one event, which sets these fields (`name: value`, one a line) in place of the map's."""
    lines = [f"  - kind: {kind}", *([f"    when: {when}"] if when else []), "    set:"]
    lines += [f"      {line}" for line in fields.splitlines()] or ["      event_id: '{id}'"]
    return PAYMENT_MAP + "events:\n" + "\n".join(lines) + "\n"
