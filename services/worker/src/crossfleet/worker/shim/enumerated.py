"""An allocation whose runner is a program that lists its cases: listed once, executed in batches by its slots."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable

from crossfleet.worker.shim import processes
from crossfleet.worker.shim.admission import Admission
from crossfleet.worker.shim.ending import Ending
from crossfleet.worker.shim.errand import Errand
from crossfleet.worker.shim.gauge import Gauge
from crossfleet.worker.shim.host import Host, Message, fresh_token
from crossfleet.worker.shim.programs.program import Command, Listing, Output, Program, Trouble
from crossfleet.worker.shim.programslots import ProgramSlot
from crossfleet.worker.shim.reaper import described
from crossfleet.worker.shim.slotclosing import close_slots
from crossfleet.worker.shim.zygote import ALLOCATION_TOKEN

MAXIMUM_LISTING = 64 * 1024 * 1024
"""Characters that a listing may print."""
_WRONG_USAGE = 4


class ProgramAllocation:
    """Opens with `open`; "collected" or "closed" follows. Ends with one "closed" record, then `on_closed` is called."""

    runner = "program"

    def __init__(self, host: Host, order: Message, on_closed: Callable[[str], None]) -> None:
        self.name = str(order["allocation"])
        self.state = "opening"
        self._host = host
        self._on_closed = on_closed
        self._mark = fresh_token()
        self._order = {**order, "env": {**order["env"], ALLOCATION_TOKEN: self._mark}}
        self._limits: Message = order.get("limits") or {}
        self._grace = float(self._limits.get("grace_seconds") or 5)
        self._program: Program | None = None
        self._errand: Errand | None = None
        self._heard: dict[str, list[str]] = {}
        self._began = 0.0
        self._size = 0
        self._late = ""
        self._collected = b""
        self._gauge = Gauge(host, order, self._mark)
        self._unquiet = ""
        self.slots = {int(spec["slot"]): self._slot(spec) for spec in order["slots"]}

    def _slot(self, spec: Message) -> ProgramSlot:
        return ProgramSlot(
            self._host, self._order, spec, Admission(self._host, self._order, spec, self._gauge, self._refuse)
        )

    def open(self) -> None:
        """Ask the program for its cases."""
        words = [str(word) for word in self._order["argv"]]
        if self._order.get("python"):
            words.insert(0, str(self._order["python"]))
        try:
            self._program = _load(str(self._order["program"]))(words, str(self._order["cwd"]))
        except ValueError as error:
            self._close("failed", str(error), _WRONG_USAGE)
            return
        except Exception as error:  # a plugin may raise anything
            self._close("failed", f"{self._order['program']} does not load: {type(error).__name__}: {error}")
            return
        self.state = "collecting"
        self._began = self._host.loop.now
        limit = float(self._limits.get("collect_seconds") or 0)
        if limit > 0:
            self._host.loop.call_after(limit, lambda: self._listed_too_slowly(limit))
        self._ask(None)

    def send_collection(self) -> None:
        """Send "collected" again, when it has been sent once."""
        if self._collected:
            self._host.tell_raw(self._collected)

    def close(self) -> None:
        """End what runs; "closed" follows."""
        if self.state == "closing":
            return
        self.state = "closing"
        if self._errand is not None:
            self._errand.life.interrupt(self._grace)
        for slot in self.slots.values():
            slot.on_idle = self._settle
            slot.close(self._grace)
        self._settle()

    def close_slots(self, numbers: list[int]) -> None:
        """Give single slots back; the others go on."""
        close_slots(self._host, self.name, self.slots, numbers, lambda slot: slot.close(self._grace))

    def kill(self) -> None:
        """End every process of this allocation now, without a record."""
        processes.kill_marked(f"{ALLOCATION_TOKEN}={self._mark}".encode(), set())

    def _ask(self, output: Output | None) -> None:
        """Take the next step of the listing: the first (None), or what the output of the last one leads to."""
        program = self._program
        if program is None:
            return
        errand = Errand(self._host, 0, self._log, self._hear, self._listed)
        try:
            step = program.listing(errand.results) if output is None else program.listed(output)
            if isinstance(step, Command):
                self._heard, self._size = {}, 0
                self._errand = errand
                errand.start(step, str(self._order["cwd"]), self._order["env"])
                return
        except Exception as error:  # the system's, or a plugin's
            self._errand = None
            errand.dispose()
            self._close("failed", f"cannot list the cases in {self._order['cwd']}: {error}")
            return
        errand.dispose()
        if step.refused:
            self._close("failed", step.refused, _WRONG_USAGE)
        else:
            self._describe(step)

    def _hear(self, stream: str, text: str) -> None:
        self._size += len(text)
        if self._size <= MAXIMUM_LISTING:
            self._heard.setdefault(stream, []).append(text)

    def _output(self, code: int) -> Output:
        stdout, stderr, results = ("".join(self._heard.get(name, ())) for name in ("stdout", "stderr", "results"))
        return Output(code, stdout, stderr, results)

    def _log(self, stream: str, data: str) -> None:
        self._host.log(self.name, -1, stream, data)

    def _listed(self, code: int) -> None:
        errand, self._errand = self._errand, None
        if errand is None:
            return
        errand.dispose()
        if self.state == "closing":
            self._settle()
        elif self._late:
            output = self._output(code)
            self._describe(Listing(errors=[Trouble("listing", self._late, f"{self._late}\n{output.said}")]))
        elif code < 0:
            output = self._output(code)
            what = f"listing the cases {described(code)}"
            self._describe(Listing(errors=[Trouble("listing", what, f"{what}\n{output.said}")]))
        else:
            self._ask(self._output(code))

    def _listed_too_slowly(self, limit: float) -> None:
        if self.state == "collecting" and self._errand is not None:
            self._late = f"listing the cases took longer than the limit of {limit:g} s"
            life = self._errand.life
            life.ending = Ending(self._host.loop, [(0, life.terminate), (self._grace, life.kill)])

    def _describe(self, listing: Listing) -> None:
        """Announce the cases, and let the slots know them."""
        import hashlib  # brings OpenSSL, 4 MB: an idle shim does without

        groups = dict(listing.cases)
        ids = list(groups)
        if self._program is not None:
            for slot in self.slots.values():
                slot.know(self._program, ids)
        gated = bool(self._order.get("gates"))
        digest = hashlib.sha256("\0".join(ids).encode("utf-8", "surrogatepass")).hexdigest()
        notes = [[vars(note) for note in notes] for notes in (listing.errors, listing.skipped)]
        message = {
            "op": "collected",
            "allocation": self.name,
            "digest": digest + "-gated" * gated,
            "cases": [
                {"id": identity, "group": [group] if group else [], "exclusive": gated}
                for identity, group in groups.items()
            ],
            "seconds": round(self._host.loop.now - self._began, 6),
            "errors": notes[0],
            "skipped": notes[1],
            # What was listed can be executed, whatever could not.
            "go_on": bool(ids),
        }
        self.state = "ready"
        self._collected = json.dumps(message).encode("ascii")
        self.send_collection()

    def _refuse(self, text: str) -> None:
        """Its host is not quiet: give everything back, for the cases to be executed elsewhere."""
        self._unquiet = text
        for slot in self.slots.values():
            slot.forget()
        self.close()

    def _settle(self) -> None:
        idle = self._errand is None and not any(slot.alive for slot in self.slots.values())
        if self.state == "closing" and idle:
            self._close("not_quiet" if self._unquiet else "done", self._unquiet)

    def _close(self, cause: str, message: str, code: int = 0) -> None:
        self.state = "closed"
        self._gauge.close()
        for slot in self.slots.values():
            slot.abandon("environment", message)
        self.kill()
        self._host.record({"op": "closed", "allocation": self.name, "cause": cause, "message": message, "exit": code})
        self._on_closed(self.name)


def _load(reference: str) -> Callable[[list[str], str], Program]:
    """What makes the program: ``package.module:Name``."""
    module, _, name = reference.partition(":")
    found: Callable[[list[str], str], Program] = getattr(importlib.import_module(module), name)
    return found
