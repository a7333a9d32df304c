"""Write the OpenAPI document to docs/openapi.json: `python -m tests.openapi_document`."""

import json
from typing import Final

from tests.api.route_client import DOCUMENT as OPENAPI
from tests.paths import DOCS

DOCUMENT: Final = DOCS / "openapi.json"


def document() -> str:
    """The text of the file."""
    return json.dumps(OPENAPI, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
