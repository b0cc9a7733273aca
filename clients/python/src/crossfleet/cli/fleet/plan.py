"""Which processes make up a fleet, and with which arguments."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """One worker of the fleet: its slots share `cpu_cores` cores."""

    name: str
    slots: int
    cpu_cores: float
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """What a supervisor is to run. Paths are absolute; empty `grpc` and `http` mean: Unix sockets only.

    `schedulers` are those that somebody else runs, each as the coordinator's setting of that name; the fleet's own stands in.
    `passing`: it ends with the commands that use it, and none of its workers comes back but by a plan that names it again.
    """

    data: str
    workers: tuple[WorkerPlan, ...]
    grpc: str = ""
    http: str = ""
    insecure: bool = False
    tls_certificate: str = ""
    tls_key: str = ""
    tls_client_authority: str = ""
    gateway: bool = False
    schedulers: tuple[str, ...] = ()
    passing: bool = False

    @property
    def token_file(self) -> str:
        """Where the token of a fleet on TCP lies, which gRPC and HTTP share; empty without TCP."""
        return os.path.join(self.data, "token") if self.grpc or self.http else ""


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One child process: a name for logs, and its command, with words that are only of its first start."""

    name: str
    command: tuple[str, ...]
    vital: bool = field(default=True)
    at_first: tuple[str, ...] = ()


def addresses(runtime: str) -> tuple[str, str]:
    """The coordinator's Unix address, and the path of the socket that keeps the fleet alive."""
    return f"unix:{runtime}/c.sock", f"{runtime}/clients.sock"


def services(plan: FleetPlan, runtime: str, lifeline: int) -> list[ServicePlan]:
    """The processes of a fleet, in the order in which they are started. They wait for each other."""
    coordinator, _ = addresses(runtime)
    tail = ("--lifeline-fd", str(lifeline))
    command = (*_module("coordinator"), *_coordinator_flags(plan, runtime), *tail)
    # What an earlier fleet on this folder had besides has ended with its supervisor. One that starts again awaits all.
    awaited = tuple(word for worker in plan.workers if plan.passing for word in ("--awaits", worker.name))
    planned = [ServicePlan("coordinator", command, at_first=awaited)]
    listen = ("--listen", f"unix:{runtime}/s.sock")
    planned.append(ServicePlan("scheduler", (*_module("scheduler"), *listen, *tail)))
    for index, worker in enumerate(plan.workers, 1):
        flags = _worker_flags(plan, worker, coordinator, f"unix:{runtime}/w{index}.sock")
        planned.append(ServicePlan(worker.name, (*_module("worker"), *flags, *tail), vital=False))
    if plan.gateway:
        flags = ("--coordinator", coordinator, "--listen", f"unix:{runtime}/g.sock")
        flags += ("--http", plan.http, "--token-file", plan.token_file, *_tls_flags(plan)) if plan.http else ()
        planned.append(ServicePlan("integrations", (*_module("integrations"), *flags, *tail)))
    return planned


def _module(service: str) -> tuple[str, ...]:
    # -P keeps the current folder, which may hold anything, off the import path.
    return (sys.executable, "-P", "-m", f"crossfleet.{service}")


def _coordinator_flags(plan: FleetPlan, runtime: str) -> tuple[str, ...]:
    flags = ["--data", plan.data, "--listen", f"unix:{runtime}/c.sock"]
    if plan.grpc:
        flags += ["--listen", plan.grpc, "--token-file", plan.token_file]
    flags += ["--scheduler", f"unix:{runtime}/s.sock"]
    for each in plan.schedulers:
        flags += ["--schedulers", each]
    # Paths of this machine may be named only where no worker of another machine can join.
    return (*flags, *_tls_flags(plan), *(() if plan.grpc else ("--embedded",)))


def _tls_flags(plan: FleetPlan) -> tuple[str, ...]:
    """How TCP is served, gRPC and HTTP alike."""
    named = (
        ("--tls-certificate", plan.tls_certificate),
        ("--tls-key", plan.tls_key),
        ("--tls-client-authority", plan.tls_client_authority),
    )
    flags = [word for name, value in named if value for word in (name, value)]
    return (*flags, *(("--insecure",) if plan.insecure else ()))


def _worker_flags(plan: FleetPlan, worker: WorkerPlan, coordinator: str, listen: str) -> tuple[str, ...]:
    flags = ["--coordinator", coordinator, "--name", worker.name, "--slots", str(worker.slots)]
    flags += ["--cpu-cores", f"{worker.cpu_cores:.6g}", "--state", os.path.join(plan.data, "workers", worker.name)]
    flags += ["--cache", os.path.join(plan.data, "cache")]
    for key, value in worker.labels:
        flags += ["--label", f"{key}={value}"]
    return (*flags, "--listen", listen, *(() if plan.grpc else ("--embedded",)))
