"""The body of a request that sends events -> rows of JSON, not read yet. We refuse the whole body if we cannot cut it into rows."""

import json
import re
import zlib
from typing import Final

from api.evidence.json_rows import MAX_ROW_BYTES
from engine.errors import Rejected

MAX_ROWS: Final = 10_000
MAX_UNPACKED_BYTES: Final = 16 * 1024 * 1024  # bytes: four times the size of as many real events
LINE_TYPES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")
LIST_TYPE: Final = "application/json"
_WINDOW_CHARS: Final = 4_096  # characters in which most events end
_BEGIN: Final = re.compile(r'\s*(?P<wrapped>\{\s*"events"\s*:\s*)?\[\s*')
_NEXT: Final = re.compile(r"\s*(,\s*|\])")
_GZIP: Final = 31  # of zlib: gzip and nothing else
# It finds where an event ends; numbers are read, and refused, with the row.
_DECODER: Final = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len)


def rows_of(body: bytes, content_type: str | None, content_encoding: str | None) -> list[bytes]:
    """The rows, in order. Raises Rejected `unsupported_type`, `too_large`, `too_many_rows`, `bad_request`."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind not in (*LINE_TYPES, LIST_TYPE):
        hint = f"send {LINE_TYPES[0]} or {LIST_TYPE}"
        raise Rejected("events do not come in this type", where="Content-Type", hint=hint, code="unsupported_type")
    data = _unpack(body, (content_encoding or "identity").strip().lower()).removeprefix(b"\xef\xbb\xbf")
    rows = _elements(data) if kind == LIST_TYPE else _lines(data)
    if not rows:
        raise Rejected("there are no events in it", where="the body", hint="send at least one", code="bad_request")
    return rows


def _unpack(body: bytes, encoding: str) -> bytes:
    """We unpack at most the permitted size, so a decompression bomb does no harm."""
    if encoding not in ("gzip", "identity"):
        hint = "send gzip, or leave it out"
        raise Rejected("this encoding is not read", where="Content-Encoding", hint=hint, code="unsupported_type")
    data = body if encoding == "identity" else _gunzip(body)
    if len(data) > MAX_UNPACKED_BYTES:
        hint = f"send at most {MAX_UNPACKED_BYTES // 2**20} MiB at a time, unpacked"
        raise Rejected("the events are too large", where="the body", hint=hint, code="too_large")
    return data


def _gunzip(body: bytes) -> bytes:
    """One gzip member, as HTTP clients send it: with many, each step would copy all remaining bytes."""
    member = zlib.decompressobj(_GZIP)
    try:
        data = member.decompress(body, MAX_UNPACKED_BYTES + 1)
    except zlib.error:
        raise _bad_gzip() from None
    if len(data) <= MAX_UNPACKED_BYTES and (not member.eof or member.unused_data):
        raise _bad_gzip()
    return data


def _bad_gzip() -> Rejected:
    return Rejected(
        "the gzip is damaged, breaks off or goes on", where="the body", hint="send it again", code="bad_request"
    )


def _too_many() -> Rejected:
    hint = f"send at most {MAX_ROWS} at a time"
    return Rejected("there are too many events", where="the body", hint=hint, code="too_many_rows")


def _lines(data: bytes) -> list[bytes]:
    """The lines; blank ones do not count."""
    if data.count(b"\n") > 2 * MAX_ROWS:  # before there is a list of them
        raise _too_many()
    rows = [line for line in data.split(b"\n") if line.strip()]
    if len(rows) > MAX_ROWS:
        raise _too_many()
    return rows


def _elements(data: bytes) -> list[bytes]:
    """The elements of a list, or of the list `events` of an object, as they are written."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _unreadable(f"byte {error.start + 1} is not UTF-8") from None
    begin = _BEGIN.match(text)
    if begin is None:
        raise _unreadable("it is not a JSON list of events")
    rows: list[bytes] = []
    at = begin.end()
    ended = text.startswith("]", at)
    while not ended:
        end = _end_of_event(text, at, len(rows))
        rows.append(text[at:end].encode())
        if len(rows) > MAX_ROWS:
            raise _too_many()
        after = _NEXT.match(text, end)
        if after is None:
            raise _unreadable(f"after event {len(rows) - 1} there is neither a comma nor the end")
        ended, at = after[1] == "]", after.end()
    if text[at + (not rows) :].split() != (["}"] if begin["wrapped"] else []):
        raise _unreadable("there is more after the list")
    return rows


def _end_of_event(text: str, at: int, number: int) -> int:
    for window in (_WINDOW_CHARS, MAX_ROW_BYTES):
        try:
            return at + _DECODER.raw_decode(text[at : at + window])[1]
        except (ValueError, RecursionError):
            continue
    raise _unreadable(f"event {number} is not JSON, or longer than {MAX_ROW_BYTES} characters")


def _unreadable(reason: str) -> Rejected:
    hint = 'send a list of events, {"events": [..]}, or a line for each as application/x-ndjson'
    return Rejected(f"the events cannot be read: {reason}", where="the body", hint=hint, code="bad_request")
