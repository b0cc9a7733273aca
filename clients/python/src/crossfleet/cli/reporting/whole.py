"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Writes beside the file and renames, its folder made too. A link keeps pointing where it did. Raises OSError."""
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():  # a pipe, a terminal: nothing can be renamed onto it
        path.write_text(text, encoding="utf-8", errors="replace")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.part")
    try:
        staged.write_text(text, encoding="utf-8", errors="replace")
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
