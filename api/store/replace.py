"""Replace a file completely, or not at all."""

import os
import shutil
import tempfile
from pathlib import Path

from engine.errors import Rejected


def write(path: Path, text: str) -> None:
    """Write `text` to `path` in one step: a reader finds the old file or the new one. Raises Rejected.

    The file keeps its permissions, and a link stays a link. The one in the making has another ending than any rule file.
    """
    target, temporary = path.resolve(), ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        else:
            Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise Rejected(f"cannot be written: {error.strerror}", where=str(path), code="not_written") from None
