"""The body of a request that sends events -> rows of JSON, not read yet. What can't be cut into rows is refused whole."""

import json
import re
import zlib
from typing import Final

from api.evidence.json_rows import LONGEST_ROW
from engine.errors import Refused

MOST_ROWS: Final = 10_000
MOST_UNPACKED: Final = 16 * 1024 * 1024  # bytes: four times what as many honest events take
LINES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")
LIST: Final = "application/json"
_WINDOW: Final = 4_096  # characters in which most events end
_BEGIN: Final = re.compile(r'\s*(?P<wrapped>\{\s*"events"\s*:\s*)?\[\s*')
_NEXT: Final = re.compile(r"\s*(,\s*|\])")
_GZIP: Final = 31  # of zlib: gzip and nothing else
# It finds where an event ends; numbers are read, and refused, with the row.
_DECODER: Final = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len)


def rows_of(body: bytes, content_type: str | None, content_encoding: str | None) -> list[bytes]:
    """The rows, in order. Raises Refused `unsupported_type`, `too_large`, `too_many_rows`, `bad_request`."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind not in (*LINES, LIST):
        hint = f"send {LINES[0]} or {LIST}"
        raise Refused("events do not come in this type", where="Content-Type", hint=hint, code="unsupported_type")
    data = _unpacked(body, (content_encoding or "identity").strip().lower()).removeprefix(b"\xef\xbb\xbf")
    rows = _elements(data) if kind == LIST else _lines(data)
    if not rows:
        raise Refused("there are no events in it", where="the body", hint="send at least one", code="bad_request")
    return rows


def _unpacked(body: bytes, encoding: str) -> bytes:
    """At most so much is ever unpacked as may be: a bomb does not go off."""
    if encoding not in ("gzip", "identity"):
        hint = "send gzip, or leave it out"
        raise Refused("this encoding is not read", where="Content-Encoding", hint=hint, code="unsupported_type")
    data = body if encoding == "identity" else _gunzipped(body)
    if len(data) > MOST_UNPACKED:
        hint = f"send at most {MOST_UNPACKED // 2**20} MiB at a time, unpacked"
        raise Refused("the events are too large", where="the body", hint=hint, code="too_large")
    return data


def _gunzipped(body: bytes) -> bytes:
    """One gzip member, as HTTP clients make it: with many, each step would copy all that is left."""
    member = zlib.decompressobj(_GZIP)
    try:
        data = member.decompress(body, MOST_UNPACKED + 1)
    except zlib.error:
        raise _damaged() from None
    if len(data) <= MOST_UNPACKED and (not member.eof or member.unused_data):
        raise _damaged()
    return data


def _damaged() -> Refused:
    return Refused(
        "the gzip is damaged, breaks off or goes on", where="the body", hint="send it again", code="bad_request"
    )


def _too_many() -> Refused:
    hint = f"send at most {MOST_ROWS} at a time"
    return Refused("there are too many events", where="the body", hint=hint, code="too_many_rows")


def _lines(data: bytes) -> list[bytes]:
    """The lines; blank ones do not count."""
    if data.count(b"\n") > 2 * MOST_ROWS:  # before there is a list of them
        raise _too_many()
    rows = [line for line in data.split(b"\n") if line.strip()]
    if len(rows) > MOST_ROWS:
        raise _too_many()
    return rows


def _elements(data: bytes) -> list[bytes]:
    """The elements of a list, or of the list `events` of an object, as they are written."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _unread(f"byte {error.start + 1} is not UTF-8") from None
    begin = _BEGIN.match(text)
    if begin is None:
        raise _unread("it is not a JSON list of events")
    rows: list[bytes] = []
    at = begin.end()
    ended = text.startswith("]", at)
    while not ended:
        end = _end(text, at, len(rows))
        rows.append(text[at:end].encode())
        if len(rows) > MOST_ROWS:
            raise _too_many()
        after = _NEXT.match(text, end)
        if after is None:
            raise _unread(f"after event {len(rows) - 1} there is neither a comma nor the end")
        ended, at = after[1] == "]", after.end()
    if text[at + (not rows) :].split() != (["}"] if begin["wrapped"] else []):
        raise _unread("there is more after the list")
    return rows


def _end(text: str, at: int, number: int) -> int:
    for window in (_WINDOW, LONGEST_ROW):
        try:
            return at + _DECODER.raw_decode(text[at : at + window])[1]
        except (ValueError, RecursionError):
            continue
    raise _unread(f"event {number} is not JSON, or longer than {LONGEST_ROW} characters")


def _unread(why: str) -> Refused:
    hint = 'send a list of events, {"events": [..]}, or a line for each as application/x-ndjson'
    return Refused(f"the events cannot be read: {why}", where="the body", hint=hint, code="bad_request")
