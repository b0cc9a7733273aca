"""Which GPUs of a host are this worker's. Batch systems give some of them to a job, and the rest is somebody else's."""

from __future__ import annotations

from collections.abc import Sequence

from crossfleet.worker.detectors.detector import Found


def granted(gpus: Sequence[Found], chosen: str | None) -> Sequence[Found]:
    """What the maker's library shows of these: chosen by index or by the beginning of a UUID, up to the first word that is neither.

    `chosen` is the value of its variable, None where that is not set.
    """
    if chosen is None:
        return gpus
    shown: list[Found] = []
    for word in chosen.split(","):
        name = word.strip()
        fitting = [gpu for gpu in gpus if name and (gpu["device_id"].startswith(name) or _index(gpu) == name)]
        if len(fitting) != 1:
            break
        if fitting[0] not in shown:
            shown.append(fitting[0])
    return shown


def _index(gpu: Found) -> str:
    return str(gpu["attributes"].get("index", ""))
