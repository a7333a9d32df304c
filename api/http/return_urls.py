"""Addresses to which we offer a link back: a merchant's own page, given by the merchant and stored before anybody sees it."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

MAX_URL_CHARS: Final = 500
LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]", "::1")  # a merchant's program on the person's own machine


def validate_return_url(url: str) -> str:
    """The URL. Raises ValueError unless it is a plain https address: a link with another scheme could run a script."""
    if not url.isascii() or not url.isprintable() or any(c in url for c in ' \\"<>`'):
        raise ValueError("should be written in ASCII, without spaces, quotes and backslashes")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("should be an address such as https://inn.example/booked") from None
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK)):
        raise ValueError("should begin with https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("should hold no user and no password")
    return url


ReturnUrl = Annotated[
    str,
    Field(
        max_length=MAX_URL_CHARS,
        description="the https page of yours to which the person goes back after the answer; we show its host",
        examples=["https://inn.example/booked?id=17"],
    ),
    AfterValidator(validate_return_url),
]
