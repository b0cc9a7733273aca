"""`crossfleet up`: a fleet in the foreground."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys

from crossfleet.cli import exits
from crossfleet.cli.fleet import fleetfile, folders
from crossfleet.cli.fleet.listeners import Event
from crossfleet.cli.fleet.options import add_fleet_size, plan_workers
from crossfleet.cli.fleet.plan import FleetPlan
from crossfleet.cli.fleet.supervisor import Supervisor
from crossfleet.cli.fleet.told import told
from crossfleet.cli.parsing import Parser
from crossfleet.foundation.serve import addresses

_NAME = re.compile(r"[A-Za-z0-9._-]+")
EXTERNAL = "external"
"""What a scheduler is called that is given by its address alone."""

EXAMPLES = """
examples:
  crossfleet up                                        Unix sockets only; `crossfleet run` joins it
  crossfleet up --workers 3 --http 127.0.0.1:8080      three workers share the cores; gateway on HTTP
  crossfleet up --grpc 0.0.0.0:7400 --tls-cert cert.pem --tls-key key.pem
                                                       for workers and clients elsewhere; the token lies in DIR/token
  crossfleet up --scheduler localhost:7401             your scheduler decides; the fleet's own stands in where it is out
  crossfleet up --scheduler 'new=localhost:7401 canary=5' --scheduler 'gpu=localhost:7402 pools=gpu deadline=2'
Logs of the services lie in DIR/logs. Ctrl-C or SIGTERM ends all of them.
"""


def parser() -> argparse.ArgumentParser:
    """The parser of `up`."""
    made = Parser(
        "up",
        description="Keeps a fleet in the foreground and prints its addresses once it serves.",
        epilog=EXAMPLES,
    )
    add_fleet_size(made)
    group = made.add_argument_group("addresses")
    group.add_argument("--grpc", default="", metavar="HOST:PORT", help="serve gRPC on TCP as well, with a token")
    group.add_argument("--http", default="", metavar="HOST:PORT", help="serve the gateway's REST and /metrics")
    group.add_argument("--insecure", action="store_true", help="allow TCP off loopback without TLS")
    group.add_argument("--tls-cert", "--tls-certificate", default="", metavar="FILE", help="certificate chain, PEM")
    group.add_argument("--tls-key", default="", metavar="FILE", help="its private key, PEM")
    group.add_argument("--tls-client-ca", default="", metavar="FILE", help="authority of client certificates, PEM")
    group = made.add_argument_group("scheduling")
    group.add_argument(
        "--scheduler",
        action="append",
        default=[],
        metavar="[NAME=]ADDRESS",
        help="let this scheduler decide, HOST:PORT or unix:/PATH; our own stands in where it is out. Options follow in the "
        "same word: pools=A+B (only groups of these), canary=PERCENT (so many of them), deadline=SECONDS (for an answer), "
        "token-file=FILE, authority=FILE. Repeatable",
    )
    group.add_argument(
        "--scheduler-token-file", default="", metavar="FILE", help="the token that the one scheduler asks for"
    )
    made.add_argument("--output", choices=("text", "json"), default="text", help="json: each event as a JSON line")
    return made


def main(arguments: list[str]) -> int:
    """Keeps a fleet until Ctrl-C or SIGTERM; answers the exit status."""
    options = parser().parse_args(arguments)
    if bool(options.tls_cert) != bool(options.tls_key):
        raise exits.UsageError("--tls-cert and --tls-key belong together")
    for option, address in (("--grpc", options.grpc), ("--http", options.http)):
        if address:
            addresses.parse_tcp(address, option)
    schedulers = _schedulers(options.scheduler, options.scheduler_token_file)
    data = folders.data_folder(options.data)
    plan = FleetPlan(
        data,
        plan_workers(options.workers, tuple(options.worker), options.slots),
        grpc=options.grpc,
        http=options.http,
        insecure=options.insecure,
        tls_certificate=_absolute(options.tls_cert),
        tls_key=_absolute(options.tls_key),
        tls_client_authority=_absolute(options.tls_client_ca),
        gateway=True,
        schedulers=schedulers,
    )
    try:
        folders.make_private(data, fleetfile.LOCK)
    except OSError as error:
        raise exits.UsageError(f"the data folder {data} cannot be used: {error.strerror or error}") from None
    lock = fleetfile.take_lock(data)
    if lock is None:
        owner = fleetfile.read(data)
        who = f"process {owner.pid} serves it at {owner.address}" if owner else "another process is using it"
        raise exits.UsageError(f"the data folder {data} is in use: {who}. Give another with --data")
    supervisor = Supervisor(plan, keep=True, on_event=_Printer(plan, as_json=options.output == "json"))
    supervisor.start()
    return supervisor.run()


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _schedulers(given: list[str], token_file: str) -> tuple[str, ...]:
    """Each as the coordinator wants it, with a name. Raises UsageError, and what a wrong address raises."""
    if token_file and len(given) != 1:
        raise exits.UsageError(
            "--scheduler-token-file is for one scheduler of your own: name it with --scheduler ADDRESS; of several, each has its "
            "token-file=FILE"
        )
    found = []
    for text in given:
        first, _, options = text.partition(" ")
        name, equals, address = first.partition("=")
        if not (equals and _NAME.fullmatch(name)):
            name, address = EXTERNAL, first
        if "," in address:
            wanted = text.replace(",", " ")
            raise exits.UsageError(
                f"--scheduler {text}: options follow behind spaces: --scheduler {shlex.quote(wanted)}"
            )
        addresses.parse(address)
        found.append(f"{name}={address} {options}".rstrip())
    if token_file:
        found[0] += f" token-file={shlex.quote(_absolute(token_file))}"
    return tuple(found)


def _absolute(path: str) -> str:
    return os.path.abspath(path) if path else ""


def _standing(event: Event) -> str:
    if event["decides"]:
        return f"scheduler {event['scheduler']} decides"
    return f"scheduler {event['scheduler']} is out: {event['cause']}; meanwhile the fleet's own decides for its groups"


class _Printer:
    """Prints what happens: where the fleet serves, what died, what gave up."""

    def __init__(self, plan: FleetPlan, *, as_json: bool) -> None:
        self._plan = plan
        self._as_json = as_json
        self._addresses: dict[str, list[str]] = {}
        self._serves = False
        self._standings: list[str] = []

    def __call__(self, event: Event) -> None:
        if self._as_json:
            import json

            print(json.dumps(event), flush=True)
            return
        kind = event["event"]
        if kind == "ready":
            addresses = event["addresses"]
            self._addresses[str(event["service"])] = (
                [str(each) for each in addresses] if isinstance(addresses, list) else []
            )
        elif kind == "serving":
            self._serving()
            self._serves = True
            self._tell_standings()
        elif kind == "died":
            print(f"{event['message']}; started again (log: {event['log']})", file=sys.stderr, flush=True)
        elif kind == "gave_up":
            print(told(event), file=sys.stderr, flush=True)
        elif kind == "scheduler":
            self._standings.append(_standing(event))
            self._tell_standings()
        elif kind == "stopping":
            print(f"stopping: {event['cause']}", file=sys.stderr, flush=True)

    def _tell_standings(self) -> None:
        """Below the lines that say where the fleet serves."""
        while self._serves and self._standings:
            print(self._standings.pop(0), file=sys.stderr, flush=True)

    def _serving(self) -> None:
        plan = self._plan
        slots = sum(worker.slots for worker in plan.workers)
        lines = [
            f"fleet of {_counted(len(plan.workers), 'worker')} with {_counted(slots, 'slot')}, data in {plan.data}"
        ]
        lines += [f"  gRPC   {address}" for address in self._addresses.get("coordinator", ())]
        lines += [f"  HTTP   http{'s' if plan.tls_certificate else ''}://{plan.http}"] if plan.http else []
        lines += [f"  scheduler {each}" for each in plan.schedulers]
        lines += [f"  token  {plan.token_file}"] if plan.token_file else []
        lines += [
            f"  logs   {plan.data}/logs",
            "`crossfleet run -- pytest` on this data folder joins it. Ctrl-C ends it.",
        ]
        print("\n".join(lines), flush=True)
