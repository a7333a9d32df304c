"""The OpenAPI document as a file, docs/openapi.json: `python -m tests.openapi_document` writes it."""

import json
from pathlib import Path
from typing import Final

from tests.api.every_route import DOCUMENT as OPENAPI

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "openapi.json"


def document() -> str:
    """The file's text."""
    return json.dumps(OPENAPI, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
