"""Where the program and the files that it ships are: in a checkout at its top, in an installation inside the package `iftah`."""

from pathlib import Path
from typing import Final

PROGRAM: Final = Path(__file__).resolve().parents[1]  # the checkout, or the folder of installed packages
_RESOURCES: Final = PROGRAM / "iftah" / "resources"  # setup.py makes it, in the wheel alone
INSTALLED: Final = _RESOURCES.is_dir()
RULES: Final = _RESOURCES / "rules" if INSTALLED else PROGRAM / "rules"
EXAMPLES: Final = _RESOURCES / "examples" if INSTALLED else PROGRAM / "docs" / "examples"
SCHEMAS: Final = _RESOURCES / "schemas" if INSTALLED else PROGRAM / "docs" / "schemas"
