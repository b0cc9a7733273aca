"""An allocation whose runner is pytest: a zygote, and slots forked from it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterable
from functools import partial

from crossfleet.worker.shim import inspection, processes
from crossfleet.worker.shim.brake import Brake
from crossfleet.worker.shim.connection import Connection
from crossfleet.worker.shim.ending import Ending
from crossfleet.worker.shim.faults import STACKS_SECONDS, STACKS_SIGNAL
from crossfleet.worker.shim.gatedslot import GatedSlot
from crossfleet.worker.shim.gates import Gates
from crossfleet.worker.shim.gauge import Gauge
from crossfleet.worker.shim.host import Host, Message, fresh_token
from crossfleet.worker.shim.life import TOKEN, Life
from crossfleet.worker.shim.output import OutputPipe
from crossfleet.worker.shim.reaper import described
from crossfleet.worker.shim.slotclosing import close_slots
from crossfleet.worker.shim.slots import Slot
from crossfleet.worker.shim.spares import Spares, told_later
from crossfleet.worker.shim.zygote import ALLOCATION_TOKEN, Spawned, spawn_pytest

_ZYGOTE_OUTPUT_BYTES = 16 * 1024 * 1024
_BIRTH_SECONDS = 60.0
"""What a slot's process has from the order to fork it to its hello."""
_WRONG_USAGE = 4
"""Pytest's exit status for an unknown option, a file that is not there, a conftest.py that cannot be imported."""
_USUAL_ENDS = (0, 1, 2, 5)
"""Pytest's exit statuses after slots: passed, failed, interrupted by errors of collection, nothing ran."""
_COLLECTED = b'{"op": "collected"'


class PytestAllocation:
    """Opens with ``open``; ends with one "closed" record, after which ``on_closed`` is called."""

    runner = "pytest"

    def __init__(self, host: Host, order: Message, on_closed: Callable[[str], None], spares: Spares) -> None:
        self.name = str(order["allocation"])
        self.state = "opening"
        self._host = host
        self._order = order
        self._on_closed = on_closed
        self._limits: Message = order.get("limits") or {}
        self._grace = float(self._limits.get("grace_seconds") or 5)
        self._spares = spares
        self._spare = spares.take(order)
        self._mark = self._spare.mark if self._spare else fresh_token()
        self._run = str(order.get("run") or self._mark)
        self._env = {**order["env"], ALLOCATION_TOKEN: self._mark}
        self._ids = host.folder / "collections" / f"{self._mark}.ids"
        self._spool = host.folder / "collections" / f"{self._mark}.reports"
        self._collection = host.folder / "collections" / f"{self._mark}.json"
        self._collection.parent.mkdir(exist_ok=True)
        self.brake = Brake(host, int(self._limits.get("max_failures") or 0), self._all_slots)
        self._gates = Gates(order["gates"]) if order.get("gates") else None
        self._gauge = Gauge(host, order, self._mark)
        self._unquiet = ""
        self.slots = {int(spec["slot"]): self._slot(spec) for spec in order["slots"]}
        self._first_number = min(slot.run_number for slot in self.slots.values())
        self._ever = list(self.slots.values())
        self._connection: Connection | None = None
        self._pid = 0
        self._pipes: list[OutputPipe] = []
        self._safe_to_fork = True
        self._births: dict[str, Life] = {}
        self._trouble = ""
        self._failed_itself = 0
        self._raised = ""
        self._returned = False
        self._may_conclude = False
        self._late = ""
        self._seen = ""
        self._ending: Ending | None = None

    def _slot(self, spec: Message) -> Slot:
        if self._gates is None:
            return Slot(self._host, self.name, spec, self._order, self._start, self.brake)
        return GatedSlot(
            self._host,
            self.name,
            spec,
            self._order,
            self._start,
            self.brake,
            gates=self._gates,
            gauge=self._gauge,
            refused=self._refuse,
        )

    def open(self) -> None:
        """Start the zygote, or take one that waits; "collected" or "closed" follows."""
        limit = float(self._limits.get("collect_seconds") or 0)
        if limit > 0:
            self._host.loop.call_after(limit, lambda: self._collected_too_slowly(limit))
        spare = self._spare
        if spare is None:
            self._start_zygote()
            return
        self._became(spare.process)
        if spare.connection is None:
            spare.on_hello = self._greeted
        else:
            self._greeted(spare.connection, {})

    def _start_zygote(self) -> None:
        token = self._host.expect(self._greeted)
        try:
            spawned = spawn_pytest(self._order, self._host.runner_socket, token, self._env)
        except (OSError, ValueError) as error:
            self._host.expect_no_more(token)
            self._closed("failed", f"cannot start {self._order.get('python')} in {self._order.get('cwd')}: {error}")
            return
        self._became(spawned)

    def _became(self, spawned: Spawned) -> None:
        self._pid = spawned.pid
        for stream, descriptor in zip(("stdout", "stderr"), spawned.outputs, strict=True):
            forward = partial(self._log, stream)
            self._pipes.append(OutputPipe(self._host.loop, descriptor, forward, _ZYGOTE_OUTPUT_BYTES))
        self._host.reaper.watch(spawned.pid, self._ended)
        self.state = "collecting"

    def send_collection(self) -> None:
        """Send "collected" again, when it has been sent once."""
        if self._collection.exists():
            self._host.tell_raw(self._collection.read_bytes())

    def close(self) -> None:
        """End all slots, then let the zygote finish its session."""
        if self.state == "closing":
            return
        self.state = "closing"
        for slot in list(self.slots.values()):
            slot.on_idle = self._slot_idle
            slot.close(self._grace)
        self._slot_idle()  # all slots may have been given back

    def close_slots(self, numbers: list[int]) -> None:
        """Give single slots back; the others go on."""
        close_slots(self._host, self.name, self.slots, numbers, lambda slot: slot.give_back(self._grace))

    def preempt(self, seconds: float) -> None:
        """Let no slot begin anything more; what is in flight has so long, and is told so."""
        for slot in self.slots.values():
            slot.preempt(seconds)

    def _refuse(self, text: str) -> None:
        """Its host is not quiet: give everything back, for the cases to be executed elsewhere."""
        self._unquiet = text
        for slot in self.slots.values():
            if isinstance(slot, GatedSlot):
                slot.forget()
        self.close()

    def kill(self) -> None:
        """End every process of this allocation now, without a record."""
        if self._pid:
            processes.signal_group(self._pid, signal.SIGKILL)
        processes.kill_marked(f"{ALLOCATION_TOKEN}={self._mark}".encode(), self._host.keepers)

    def _log(self, stream: str, data: str) -> None:
        self._host.log(self.name, -1, stream, data)

    def _greeted(self, connection: Connection, hello: Message) -> None:
        self._connection = connection
        connection.on_line = self._line
        setup = {
            "op": "setup",
            "role": "zygote",
            "allocation": self.name,
            "run": self._run,
            "first_number": self._first_number,
            "run_slots": self._run_slots,
            "argv": self._order["argv"],
            "as_module": bool(self._order.get("as_module")),
            "ids_path": str(self._ids),
            "spool_path": str(self._spool),
            "env": told_later(self._env),
            "gated": self._gates is not None,
        }
        connection.send(json.dumps(setup).encode("ascii") + b"\n")
        connection.flush()

    def _line(self, line: bytes) -> None:
        if line.startswith(_COLLECTED):
            self._collection.write_bytes(line)
            self._host.tell_raw(line)
            if self.state == "collecting":
                self.state = "ready"
            for life in list(self._births.values()):
                self._make(life)
            return
        message = json.loads(line)
        if message["op"] == "begun":
            self._spare = None
        elif message["op"] == "ready":
            self._safe_to_fork = bool(message["safe_to_fork"])
        elif message["op"] == "returned":
            self._returned = True
        elif message["op"] == "session":
            self._failed_itself = int(message["status"])
            self._raised = str(message["error"])
        elif message["op"] == "forked":
            forked = self._births.pop(message["token"], None)
            if forked is not None and "pid" in message:
                forked.born(int(message["pid"]))
            elif forked is not None:
                self._slot_of(forked).stillborn(str(message["error"]))

    def _start(self, life: Life) -> None:
        """Make a process for a slot, as soon as the collection is complete."""
        self._births[life.token] = life
        if self._collection.exists():
            self._make(life)

    def _make(self, life: Life) -> None:
        slot = self._slot_of(life)
        order: Message = {
            "op": "fork",
            "slot": slot.number,
            "process": slot.process,
            "env": {**slot.env, **self._slot_environment(slot, life)},
            "token": life.token,
            "fault": str(life.faults.path),
            "output_bytes": int(self._limits.get("output_bytes") or 65536),
            "holds": self.brake.limit > 0,
            "gated": self._gates is not None,
        }
        self._watch_birth(life)
        if self._safe_to_fork:
            if self._connection is not None:
                self._connection.send(json.dumps(order).encode("ascii") + b"\n")
                self._connection.flush()
            return
        self._births.pop(life.token, None)
        token = self._host.expect(lambda connection, hello: self._greet_lone(connection, order))
        env = {**self._env, **order["env"]}
        try:
            spawned = spawn_pytest(self._order, self._host.runner_socket, token, env)
        except (OSError, ValueError) as error:
            self._host.expect_no_more(token)
            slot.stillborn(f"cannot start {self._order.get('python')}: {error}")
            return
        life.adopt_output(spawned.outputs)
        life.born(spawned.pid)

    def _watch_birth(self, life: Life) -> None:
        """A process that has to collect for itself may take as long as the first one did, in addition."""
        collecting = 0.0 if self._safe_to_fork else float(self._limits.get("collect_seconds") or 0)
        if self._safe_to_fork or collecting:
            limit = float(self._limits.get("birth_seconds") or _BIRTH_SECONDS) + collecting
            self._host.loop.call_after(limit, lambda: self._check_birth(life, limit))

    def _check_birth(self, life: Life, limit: float) -> None:
        if life.ready or self._pid == 0 or not any(slot.has(life) for slot in self.slots.values()):
            return
        if life.pid:
            life.time_out(self._grace, f"the slot's process did not come up within {limit:g} s")
        elif self.state == "ready":
            self._trouble = f"the process that has collected forked no slot within {limit:g} s"
            Ending(self._host.loop, self._steps_to_end(0.0, self._trouble))

    def _greet_lone(self, connection: Connection, order: Message) -> None:
        """A slot that cannot be forked collects for itself and then shows the same cases."""
        setup = {
            "op": "setup",
            "role": "solo",
            "allocation": self.name,
            "run": self._run,
            "argv": self._order["argv"],
            "as_module": bool(self._order.get("as_module")),
            "ids_path": str(self._ids),
            "spool_path": str(self._spool),
            "order": order,
        }
        slot = self.slots[order["slot"]]
        connection.on_line = slot.take_note
        connection.send(json.dumps(setup).encode("ascii") + b"\n")
        connection.flush()

    def _slot_environment(self, slot: Slot, life: Life) -> dict[str, str]:
        return {
            TOKEN: life.token,
            "PYTEST_XDIST_WORKER": f"gw{slot.run_number}",
            "PYTEST_XDIST_WORKER_COUNT": str(self._run_slots),
            "PYTEST_XDIST_TESTRUNUID": self._run,
        }

    @property
    def _run_slots(self) -> int:
        return int(self._order.get("run_slots") or len(self.slots))

    def _slot_of(self, life: Life) -> Slot:
        return next(slot for slot in self.slots.values() if slot.has(life))

    def _all_slots(self) -> Iterable[Slot]:
        return self.slots.values()

    def _slot_idle(self) -> None:
        if self.state == "closing" and not any(slot.alive for slot in self.slots.values()) and self._ending is None:
            self._close_zygote()

    def _close_zygote(self) -> None:
        order = {
            "op": "close",
            "failed": sum(slot.failed for slot in self._ever),
            "deaths": [death for slot in self._ever for death in slot.deaths],
        }
        if self._connection is not None and self._collection.exists():
            self._connection.send(json.dumps(order).encode("ascii") + b"\n")
            self._connection.flush()
            self._may_conclude = True
            wait = 4 * self._grace
        else:
            wait = 0.0
        late = f"pytest did not end within {wait:g} s after its slots" if wait else ""
        self._ending = Ending(self._host.loop, self._steps_to_end(wait, late))

    def _collected_too_slowly(self, limit: float) -> None:
        if self.state != "collecting":
            return
        self._trouble = f"collection took longer than its limit of {limit:g} s"
        Ending(self._host.loop, self._steps_to_end(0.0, self._trouble))

    def _steps_to_end(self, wait: float, why: str) -> list[tuple[float, Callable[[], object]]]:
        """After ``wait`` seconds: stacks (to its stderr), SIGTERM, SIGKILL. ``why`` is what has taken too long."""

        def ask() -> None:
            self._late = why
            self._seen = inspection.describe(self._pid, processes.tree(self._pid))
            if processes.catches(self._pid, STACKS_SIGNAL):
                processes.send_signal(self._pid, STACKS_SIGNAL)

        return [
            (wait, ask),
            (STACKS_SECONDS, lambda: processes.signal_group(self._pid, signal.SIGTERM)),
            (self._grace, lambda: processes.signal_group(self._pid, signal.SIGKILL)),
        ]

    def _ended(self, code: int) -> None:
        """The zygote is gone: as asked, or all of its slots go with it."""
        if self._spare is not None and self.state == "collecting":
            self._begin_anew()
            return
        if self._ending is not None:
            self._ending.cancel()
        for pipe in self._pipes:
            pipe.drain()
        said = "\n".join(text for text in (*(pipe.tail().strip() for pipe in self._pipes), self._seen) if text)
        asked = self.state == "closing" and not self._trouble
        if asked and self._collection.exists():
            wrong = self._late or (f"pytest {described(code)} at its end" if code < 0 else "")
            if wrong:
                self._log("stderr", f"[crossfleet: {wrong}]\n{self._seen}\n")
            if not self._failed_itself and not any(slot.failed for slot in self._ever):
                self._failed_itself = self._status_at_end(code)
            wrong = wrong or self._raised
            self._closed("done", f"{wrong}\n{said}" if wrong else "", code)
            return
        early = "could not begin (status 4)" if code == _WRONG_USAGE else f"{described(code)} too early"
        reason = self._trouble or f"pytest {early}"
        if asked:
            self._closed("done", f"closed before the collection was complete\n{said}", code)
            return
        self._closed("failed", f"{reason}\n{said}".strip(), code)

    def _begin_anew(self) -> None:
        """The spare was dead when it was taken, or died before it began."""
        if self._spare is not None:
            self._host.expect_no_more(self._spare.token)
        self._spare = None
        while self._pipes:
            self._pipes.pop().close()
        if self._connection is not None:
            self._connection.close()
        self._start_zygote()

    def _status_at_end(self, code: int) -> int:
        """With which status the session itself failed; 0 where it did not.

        What takes its process along, or does not end, after pytest has returned is seen by no exit status of pytest-xdist
        either. One that had not collected when nothing was left for it was not let come to its end.
        """
        if code < 0 or self._late:
            return 128 + abs(code) if self._may_conclude and not self._returned else 0
        return 0 if code in _USUAL_ENDS else code

    def _closed(self, cause: str, message: str, code: int | None = None) -> None:
        self._pid = 0
        self._gauge.close()
        if self._unquiet:
            cause, message = "not_quiet", self._unquiet
        for slot in self.slots.values():
            slot.abandon("environment", message)
        processes.kill_marked(f"{ALLOCATION_TOKEN}={self._mark}".encode(), self._host.keepers)
        for pipe in self._pipes:
            pipe.close()
        if self._connection is not None:
            self._connection.close()
        self._collection.unlink(missing_ok=True)
        self._ids.unlink(missing_ok=True)
        self._spool.unlink(missing_ok=True)
        record: Message = {"op": "closed", "allocation": self.name, "cause": cause, "message": message}
        if self._returned:
            record["returned"] = True
        if code is not None:
            record["exit"] = code
        if self._failed_itself and not self._unquiet:
            record["session_status"] = self._failed_itself
        self._host.record(record)
        self._on_closed(self.name)
        if cause == "done":
            self._spares.foresee(self._order)
