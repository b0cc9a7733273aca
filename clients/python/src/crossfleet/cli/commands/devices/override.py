"""`crossfleet devices override`: an administrator's word on a device, which counts more than its detector's."""

from __future__ import annotations

import argparse
import getpass
import platform
import sys
from collections.abc import Iterator

from crossfleet.api.coordinator.v1.fleet_service_pb2 import OverrideDeviceRequest, WorkerStatus
from crossfleet.api.types.v1.device_pb2 import Device
from crossfleet.cli.attributes import attribute
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.devices import device_lines
from crossfleet.client import Client

_USAGE = "write: crossfleet devices override WORKER DEVICE NAME=VALUE ..., --restore NAME, --hide, --unhide or --clear"


def parser() -> argparse.ArgumentParser:
    """The parser of `devices override`."""
    made = command_parser(
        "devices override",
        "Says what a device is like instead of its detector: attributes that are wrong, attributes that are missing, or that it "
        "gets no work. It holds until it is taken back, over restarts of worker and coordinator, and every listing marks it.\n"
        "A value has the type of the attribute that it replaces. A new one is true or false, a number (16Gi, 0.5), a version "
        "('version(1.2)') or else text; commas between texts make a list ('a,b').",
        "  crossfleet devices override gpu-1 GPU-8e1c2f5a memory=16Gi --reason 'the rest is broken'\n"
        "  crossfleet devices override bench-2 cpu-0 board=revision-c quiet=true\n"
        "  crossfleet devices override gpu-1 GPU-8e1c2f5a --hide --reason 'for Anna until Friday'\n"
        "  crossfleet devices override gpu-1 GPU-8e1c2f5a --restore memory --unhide\n"
        "  crossfleet devices override gpu-1 GPU-8e1c2f5a --clear",
    )
    made.add_argument("worker_id", metavar="WORKER")
    made.add_argument("device_id", metavar="DEVICE", help="its id, or the beginning of it")
    made.add_argument("attributes", nargs="*", metavar="NAME=VALUE")
    made.add_argument(
        "--restore", action="append", default=[], metavar="NAME", help="the detector's word counts again; may repeat"
    )
    hiding = made.add_mutually_exclusive_group()
    hiding.add_argument("--hide", action="store_true", help="keep all work away; what holds it gives it back soon")
    hiding.add_argument("--unhide", action="store_true", help="let it have work again")
    made.add_argument("--clear", action="store_true", help="take back all that was said of it before")
    made.add_argument("--reason", default="", help="for people")
    return made


def main(arguments: list[str]) -> int:
    """Overrides a device; answers the exit status."""
    options = parser().parse_intermixed_args(arguments)  # options may stand before the attributes
    if not (options.attributes or options.restore or options.hide or options.unhide or options.clear):
        raise UsageError(_USAGE)

    async def done(client: Client) -> tuple[WorkerStatus, Device]:
        known = await client.fleet.worker(options.worker_id)
        device = _named(known, options.device_id)
        return await client.fleet.override_device(_request(options, device)), device

    status, before = ask(options.data, done)
    device_id = before.device_id
    device = next((one for one in status.worker.devices if one.device_id == device_id), None)
    for line in _in_vain(options, before):
        print(f"crossfleet devices override: {line}", file=sys.stderr)
    if options.output == "json":
        print(documents.write(documents.envelope("worker", documents.plain(status))))
    elif device is not None:
        print(*device_lines(status.worker.worker_id, device), sep="\n")
    else:
        print(f"{status.worker.worker_id} has no device {device_id} now; nothing is said of it any more")
    return 0


def _in_vain(options: argparse.Namespace, before: Device) -> Iterator[str]:
    """What was taken back that nobody had said. Of a device that its worker does not report it is not known here."""
    if not before.detector:
        return
    if not before.HasField("override"):
        if options.clear or options.restore or options.unhide:
            yield f"nothing was said of {before.device_id} before: there was nothing to take back"
        return
    for name in options.restore:
        if name not in before.override.reported:
            yield f"nothing was said of {name} of {before.device_id} before"
    if options.unhide and not before.override.hidden:
        yield f"{before.device_id} was not hidden"


def _named(known: WorkerStatus, word: str) -> Device:
    """The device of that id, or the only one whose id begins so; a new one where there is none, for the fleet to refuse."""
    devices = known.worker.devices
    exact = [one for one in devices if one.device_id == word]
    found = exact or [one for one in devices if one.device_id.startswith(word)]
    if len(found) > 1:
        raise UsageError(f"{len(found)} devices of {known.worker.worker_id} begin with {word}: write more of the id")
    return found[0] if found else Device(device_id=word)


def _request(options: argparse.Namespace, device: Device) -> OverrideDeviceRequest:
    request = OverrideDeviceRequest(
        worker_id=options.worker_id,
        device_id=device.device_id,
        restore=options.restore,
        clear=options.clear,
        reason=options.reason,
        author=_author(),
    )
    if options.hide or options.unhide:
        request.hidden = options.hide
    for word in options.attributes:
        name, sign, text = word.partition("=")
        if not name or not sign:
            raise UsageError(f"{word!r} must have the form NAME=VALUE")
        request.attributes[name].CopyFrom(attribute(name, text, device.attributes.get(name)))
    return request


def _author() -> str:
    try:
        return f"{getpass.getuser()}@{platform.node()}"[:100]
    except (KeyError, OSError):  # a user without a name, as in containers
        return platform.node()[:100]
