"""Paths in the checkout."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
RULES: Final = ROOT / "rules"
DOCS: Final = ROOT / "docs"
ENGINE_CASES: Final = ROOT / "tests" / "engine" / "cases"
