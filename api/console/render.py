"""Templates of the pages, and the files that their pages load."""

import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, Response

from api.console.formats import formats
from api.console.words import translations

FOLDER: Final = Path(__file__).parent
MEDIA_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".txt": "text/plain"}
MIN_COMPRESSED_BYTES: Final = 1_000  # of a file; a smaller one fits into a packet anyway
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@cache
def environment(language: str) -> Environment:
    """The templates in a language. They escape each value, and an unknown name is an error."""
    templates = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    templates.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    templates.filters.update(formats(language))
    templates.globals["static"] = static_address
    return templates


def html_page(language: str, template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """A page that no cache keeps."""
    content = environment(language).get_template(template).render(values)
    return HTMLResponse(content, status, {**HEADERS, "Cache-Control": "no-store", "Content-Language": language})


@cache
def static_files() -> dict[str, tuple[bytes, str]]:
    """The content and the hash of each file that a page may load, by name."""
    contents = {path.name: path.read_bytes() for path in (FOLDER / "static").iterdir() if path.is_file()}
    return {name: (content, hashlib.sha256(content).hexdigest()[:16]) for name, content in contents.items()}


def static_address(name: str) -> str:
    """The address of a file; it changes with the content."""
    return f"/static/{name}?v={static_files()[name][1]}"


@cache
def _compressed(name: str) -> bytes:
    return gzip.compress(static_files()[name][0], mtime=0)


def static_response(name: str, encodings: str = "") -> Response | None:
    """The answer with a file, compressed for a browser that takes gzip; None when there is none of that name. The files hold no
    secret, so their compressed length gives nothing away.
    """
    if name not in static_files():
        return None
    content, version = static_files()[name]
    headers = {**HEADERS, "Cache-Control": "public, max-age=31536000, immutable", "ETag": f'"{version}"'}
    headers["Vary"] = "Accept-Encoding"
    if "gzip" in encodings and len(content) > MIN_COMPRESSED_BYTES:
        content, headers["Content-Encoding"], headers["ETag"] = _compressed(name), "gzip", f'"{version}-gzip"'
    return Response(content, headers=headers, media_type=MEDIA_TYPES.get(Path(name).suffix, "application/octet-stream"))
