"""What people signed, read from the rows of the release log and verified by `cryptography` and `hashlib` alone."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text

from api.releases.steps import Step
from api.store.database import Database, reading

Row = dict[str, Any]
LAST_SQL = (
    "SELECT * FROM release_log WHERE kind = :kind AND proposal = :proposal AND seq < :seq ORDER BY seq DESC LIMIT 1"
)


def rows_after(database: Database, seq: int) -> list[Row]:
    """The rows of the log after that one."""
    query = text("SELECT * FROM release_log WHERE seq > :seq ORDER BY seq")
    with reading(database) as connection:
        return [dict(row) for row in connection.execute(query, {"seq": seq}).mappings()]


def step_of(row: Row) -> Step:
    """The step of a row, to send again."""
    columns = ("kind", "actor", "at", "proposal", "key", "signature")
    return Step(**{column: row[column] for column in columns}, content=json.loads(row["content"]))


def verify_signature(row: Row, public: str) -> None:
    """Raise InvalidSignature unless the key signed the kind, the proposal and the content of the row."""
    content = {"proposal": row["proposal"], "content": json.loads(row["content"])}
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    key.verify(bytes.fromhex(row["signature"]), f"iftah.{row['kind']}.1\n{canonical(content)}".encode())
    assert hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16] == row["key"]


def signers_of(database: Database, activation: Row, manifest: Mapping[str, Any]) -> list[str]:
    """The fingerprints of the keys that submitted and approved this manifest last, before the activation."""
    keys = []
    with reading(database) as connection:
        for kind in ("submission", "approval"):
            values = {"kind": kind, "proposal": activation["proposal"], "seq": activation["seq"]}
            row = connection.execute(text(LAST_SQL), values).mappings().one()
            assert json.loads(row["content"]) == {"manifest": sha256(canonical(dict(manifest)))}
            keys.append(str(row["key"]))
    return keys


def verify_manifest(database: Database, manifest: Mapping[str, Any], files: Mapping[str, str]) -> None:
    """The manifest holds these bytes, and an effect that was measured of them."""
    with reading(database) as connection:
        rows = connection.execute(text("SELECT hash, text FROM release_objects"))
        objects = {row.hash: row.text for row in rows}
    assert manifest["files"] == {name: sha256(content) for name, content in files.items()}
    assert json.loads(objects[manifest["bundle"]]) == dict(files)
    assert sha256(objects[manifest["bundle"]]) == manifest["bundle"]
    assert sha256(objects[manifest["effect"]]) == manifest["effect"]
    assert json.loads(objects[manifest["effect"]])["new"] == manifest["release"]


def canonical(value: Any) -> str:
    """JSON with sorted keys and no blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()
