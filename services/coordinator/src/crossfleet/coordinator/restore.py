"""`python -m crossfleet.coordinator.restore FILE --data DIR [settings]`: fills an empty place from a backup.

Takes the settings of the coordinator that will work there: data folder, database, artifact store.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from crossfleet.coordinator.artifacts.blobs import BlobStore
from crossfleet.coordinator.artifacts.place import place_of
from crossfleet.coordinator.backup.format import BackupDamaged
from crossfleet.coordinator.backup.restoring import Restored, restore, verify
from crossfleet.coordinator.config import Settings
from crossfleet.coordinator.ledger.importing import NotEmpty
from crossfleet.coordinator.ledger.store import SchemaUnsupported, StoreFailed, StoreFull
from crossfleet.coordinator.logs.run_logs import RunLogs
from crossfleet.coordinator.opening import database_of, explained
from crossfleet.foundation.config import load
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.filesystems import refuse_network_filesystem
from crossfleet.foundation.lock import FolderLock

_WRONG, _FAILED = 2, 3


def main(arguments: list[str] | None = None) -> int:
    """Restores; answers the exit status: 0, 2 where the file or the place is wrong, 3 for what failed on the way."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0].startswith("-"):
        print("usage: python -m crossfleet.coordinator.restore FILE --data DIR [settings]", file=sys.stderr)
        return _WRONG
    file = Path(words[0])
    try:
        settings = load(Settings, service="coordinator", argv=words[1:])
        if not settings.data:
            return _refused("no data folder: --data DIR")
        print(_told(_restored(file, settings), settings))
    except (BackupDamaged, SchemaUnsupported) as error:
        return _refused(f"{file}: {error}")
    except NotEmpty as error:
        return _refused(str(error))
    except CrossfleetError as error:
        fields = "".join(f"; {field.path}: {field.description}" for field in error.fields)
        return _refused(f"{error.message}{fields}", _WRONG if error.retry_after is None else _FAILED)
    except OSError as error:
        return _refused(f"{error.filename or file}: {error.strerror or error}")
    except (StoreFailed, StoreFull) as error:
        return _refused(str(error), _FAILED)
    return 0


def _refused(text: str, status: int = _WRONG) -> int:
    print(f"nothing was restored: {text}", file=sys.stderr)
    return status


def _restored(file: Path, settings: Settings) -> Restored:
    folder = Path(settings.data).resolve()
    place = place_of(settings.artifacts, folder, settings.artifacts_credentials_file)
    opened = database_of(settings, folder)
    checked = verify(file)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    refuse_network_filesystem(folder)
    with FolderLock(folder):
        with explained(opened):
            store = opened.store()
        try:
            run_logs = RunLogs(folder, place, 0, slot_cap_bytes=settings.slot_log_bytes)
            return asyncio.run(restore(file, checked, store, BlobStore(place), run_logs, folder / "uploads"))
        finally:
            store.close()


def _told(restored: Restored, settings: Settings) -> str:
    head, end = restored.head, restored.end
    age = max(0.0, time.time() - head.at)
    at, rows = datetime.fromtimestamp(head.at, UTC), end.tables
    lines = [
        f"restored the fleet as it was at {at:%Y-%m-%d %H:%M:%S} UTC, {_age(age)} ago, by crossfleet {head.version}",
        f"{rows.get('runs', 0)} runs, {rows.get('verdicts', 0)} verdicts, {end.blobs} blobs, {end.outputs} pieces of output",
        "what was committed later is not in it; runs that were open go on where they were",
        f"its term is {restored.epoch}: a coordinator of before, wherever it still runs, can no longer write here",
    ]
    if restored.missing:
        where = settings.artifacts or settings.data
        lines.append(
            f"{restored.missing} artifacts have no content in {where}: give the store of before (--artifacts), or make"
            " backups with --artifacts"
        )
    return "\n".join(lines)


def _age(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


if __name__ == "__main__":
    sys.exit(main())
