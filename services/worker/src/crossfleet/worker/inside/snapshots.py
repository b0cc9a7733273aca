"""syrupy over slots and workers: a session that has not seen every case must not call a snapshot unused, nor delete it."""

from __future__ import annotations

from typing import Any


def settle(config: Any, complete: bool) -> None:
    """Say before the end of the zygote's session whether all of its cases ran here."""
    option = config.option
    if complete or not hasattr(option, "update_snapshots"):
        return
    # Slots have written theirs; what follows would only look for unused ones.
    option.update_snapshots = False
    option.warn_unused_snapshots = True
    option.disable_unused_snapshots = True


def tidy(config: Any, complete: bool) -> None:
    """Remove the locks that slots left beside snapshot files, as a controller does; others may still hold them."""
    clean = getattr(getattr(config, "_syrupy", None), "_cleanup_write_sidecars", None)
    if complete and clean is not None:
        clean()
