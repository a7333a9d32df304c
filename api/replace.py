"""Replacing a file: whole, or not at all."""

import os
import shutil
import tempfile
from pathlib import Path

from engine.errors import Refused


def write(path: Path, text: str) -> None:
    """Write `text` to `path` in one step: whoever reads finds the old file or the new one. Raises Refused.

    The file keeps its permissions, and a link stays a link. The one in the making has another ending than any rule file.
    """
    target, made = path.resolve(), ""
    try:
        handle, made = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, made)
        else:
            Path(made).chmod(0o644)
        Path(made).replace(target)
    except OSError as error:
        if made:
            Path(made).unlink(missing_ok=True)
        raise Refused(f"cannot be written: {error.strerror}", where=str(path), code="not_written") from None
