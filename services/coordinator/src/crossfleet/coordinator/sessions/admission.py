"""Who may open a session."""

from __future__ import annotations

from crossfleet.api.types.v1.device_pb2 import Worker as WorkerMessage
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.convert.checks import Checks
from crossfleet.coordinator.convert.devices import check_devices
from crossfleet.coordinator.core.model import Worker
from crossfleet.coordinator.sessions.session import Session
from crossfleet.foundation.errors import (
    FieldViolation,
    InvalidArgument,
    ProtocolVersionUnsupported,
    WorkerIdentityInUse,
)

PROTOCOL_VERSION = 1
# Far above any host, and finite: cores are reckoned in whole thousandths.
_MOST_CORES = 1_000_000


def hello_of(request: worker_pb2.ConnectRequest) -> worker_pb2.Hello:
    """The Hello that a stream began with. Raises InvalidArgument, ProtocolVersionUnsupported."""
    if not request.messages or not request.messages[0].HasField("hello"):
        raise InvalidArgument("a session begins with Hello", fields=[FieldViolation("messages[0]", "hello")])
    hello = request.messages[0].hello
    if hello.protocol_version != PROTOCOL_VERSION:
        raise ProtocolVersionUnsupported(
            f"the worker speaks version {hello.protocol_version} of the worker protocol, this coordinator {PROTOCOL_VERSION}",
            got=hello.protocol_version,
            lowest=PROTOCOL_VERSION,
            highest=PROTOCOL_VERSION,
        )
    checks = Checks()
    checks.name(hello.worker.worker_id, "hello.worker.worker_id")
    checks.require(0 < len(hello.worker.incarnation) <= 200, "hello.worker.incarnation", "1 to 200 bytes")
    checks.require(1 <= hello.worker.slots <= 4096, "hello.worker.slots", "1 to 4096")
    checks.require(0 <= hello.worker.cpu_cores <= _MOST_CORES, "hello.worker.cpu_cores", f"0 to {_MOST_CORES}")
    checks.require(hello.worker.memory_bytes >= 0, "hello.worker.memory_bytes", "0 or more")
    check_devices(checks, hello.worker.devices, "hello.worker.devices")
    checks.finish("the worker")
    return hello


def refuse_twin(
    hello: worker_pb2.Hello, known: Worker | None, session: Session | None, *, leased: bool, lease: float
) -> None:
    """Raises WorkerIdentityInUse when another living worker has the name.

    One life may come back at any time. Another life takes over at once where the old one's stream is closed and the host
    is the same (it was restarted there); from another host only when the lease has run out: the old one may be cut off
    and still executing.
    """
    worker = hello.worker
    if known is None or known.incarnation == worker.incarnation or not leased:
        return
    if session is None and WorkerMessage.FromString(known.description).host == worker.host:
        return
    raise WorkerIdentityInUse(
        f"another living worker is called {worker.worker_id}: choose another name, or stop that one",
        worker=worker.worker_id,
        incarnation=known.incarnation,
        retry_after=lease,
    )
