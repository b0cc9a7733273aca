"""The environment of a runner: what is passed through, what the suite asks for, what crossfleet adds.

Passed through from the worker's own environment are `PASSED_THROUGH` and names that begin with one of
`PASSED_PREFIXES`; nothing else, so that a secret of the worker's service does not reach tests. Over these come the
suite's variables (an embedded fleet's command line sends its whole environment there), over them the target's, and
over all what crossfleet says itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from crossfleet.api.types.v1.device_pb2 import Device, DevicePortion
from crossfleet.api.worker.v1.worker_service_pb2 import OpenAllocation

PASSED_THROUGH = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "TMPDIR",
    "TEMP",
    "TMP",
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_PATH",
    "ROCM_PATH",
    "ONEAPI_ROOT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
PASSED_PREFIXES = ("LC_", "XDG_")


def passed_through(environment: Mapping[str, str], extra: Iterable[str] = ()) -> dict[str, str]:
    """The part of the worker's environment that runners get; `extra` are further names."""
    names = {*PASSED_THROUGH, *extra}
    return {name: value for name, value in environment.items() if name in names or name.startswith(PASSED_PREFIXES)}


def of_allocation(
    base: Mapping[str, str], order: OpenAllocation, *, worker: str, artifacts: Path, programs: Path | None
) -> dict[str, str]:
    """The environment of an allocation's runner before it knows its slot.

    `programs` is the folder of an environment that was built for the target: it comes first on PATH.
    """
    merged = {**base, **order.suite.variables, **order.environment.variables}
    if programs is not None:
        merged["PATH"] = f"{programs}:{merged.get('PATH', '/usr/bin:/bin')}"
        merged["VIRTUAL_ENV"] = str(programs.parent)
    merged["PYTHONHASHSEED"] = str(order.seed)
    merged["CROSSFLEET_RUN"] = order.run_id
    merged["CROSSFLEET_TARGET"] = order.target
    merged["CROSSFLEET_WORKER"] = worker
    merged["CROSSFLEET_ARTIFACTS"] = str(artifacts)
    if order.traceparent:
        merged["TRACEPARENT"] = order.traceparent
    return merged


def of_slot(slot: int, artifacts: Path) -> dict[str, str]:
    """What one slot gets beside: its number and its folder."""
    return {"CROSSFLEET_SLOT": str(slot), "CROSSFLEET_ARTIFACTS": str(artifacts)}


def amounts(devices: Sequence[Device], portions: Sequence[DevicePortion]) -> dict[str, str]:
    """How much a slot may use of each device of a class that it shares with others: CROSSFLEET_GPU_MEMORY, in bytes."""
    classes = {device.device_id: device.device_class for device in devices}
    return {
        re.sub(r"\W", "_", f"CROSSFLEET_{classes[one.device_id]}_{name}".upper(), flags=re.ASCII): str(amount)
        for one in portions
        if one.device_id in classes
        for name, amount in one.capacities.items()
    }


def visible(devices: Sequence[Device]) -> dict[str, str]:
    """Variables by which the makers' libraries see these devices and no others."""
    by_maker: dict[str, list[str]] = {"nvidia": [], "amd": [], "intel": []}
    for device in devices:
        maker = device.attributes["vendor"].string_value if "vendor" in device.attributes else ""
        if device.device_class == "gpu" and maker in by_maker:
            by_maker[maker].append(_name(device))
    amd, intel = by_maker["amd"], by_maker["intel"]
    return {
        "CUDA_VISIBLE_DEVICES": ",".join(by_maker["nvidia"]),
        "ROCR_VISIBLE_DEVICES": ",".join(amd),
        # HIP knows no UUIDs, and counts what ROCm has left.
        "HIP_VISIBLE_DEVICES": ",".join(map(str, range(len(amd)))),
        # Empty would mean all here; the CPU stays usable.
        "ONEAPI_DEVICE_SELECTOR": "level_zero:" + ",".join(intel) if intel else "!*:gpu",
    }


def _name(device: Device) -> str:
    """As the maker's library names it: its UUID where there is one, else its index."""
    if "uuid" in device.attributes:
        return device.attributes["uuid"].string_value
    if "index" in device.attributes:
        return str(device.attributes["index"].int_value)
    return device.device_id
