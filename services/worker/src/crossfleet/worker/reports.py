"""Taking in what the shim says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from crossfleet.api.types.v1 import result_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from crossfleet.foundation.logs import get_logger
from crossfleet.worker.artifacts import Artifacts
from crossfleet.worker.core.holdings import Phase
from crossfleet.worker.core.link import Link
from crossfleet.worker.devicewatch import DeviceWatch
from crossfleet.worker.lasting import Lasting
from crossfleet.worker.logs import LogPusher
from crossfleet.worker.opening import Openings
from crossfleet.worker.orders import Orders
from crossfleet.worker.shimlink import Line
from crossfleet.worker.translate import facts, upward

_LONG_SECONDS = 0.1
_FAILED = frozenset(("failed", "error", "crashed", "timed_out"))
_MOST_HELD = 10_000
_PHASES = {"opening": Phase.COLLECTING, "collecting": Phase.COLLECTING, "ready": Phase.READY}


class Reports:
    """One method for each kind of line up. Journalled lines that were taken in before are passed over."""

    def __init__(
        self,
        link: Link,
        orders: Orders,
        openings: Openings,
        logs: LogPusher,
        artifacts: Artifacts,
        lasting: Lasting,
        devices: DeviceWatch,
        *,
        on_attached: Callable[[Line], None],
        on_trouble: Callable[[str], None],
        wake: Callable[[], None],
        wake_soon: Callable[[], None],
    ) -> None:
        """`on_attached` gets the answer to the attachment, after what it holds was taken over;
        `on_trouble` the cause for which the shim cannot go on, and an empty one when it can."""
        self._link = link
        self._orders = orders
        self._openings = openings
        self._logs = logs
        self._artifacts = artifacts
        self._lasting = lasting
        self._devices = devices
        self._on_attached = on_attached
        self._on_trouble = on_trouble
        self._wake = wake
        self._wake_soon = wake_soon
        self._interrupted_for = ""
        self._held: list[Line] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._kinds: dict[str, Callable[[Line], None]] = {
            "attached": self._attached,
            "collected": self._collected,
            "want": self._want,
            "slots_closed": self._slots_closed,
            "started": self._started,
            "inspected": self._inspected,
            "log": self._log,
            "result": self._result,
            "finished": self._finished,
            "closed": self._closed,
            "trouble": self._trouble,
            "refused": self._refused,
        }

    def take(self, line: Line) -> None:
        """Take in one line. A line that cannot be understood is logged; it must not end the agent.

        After a crash that a lost device may have brought about, all lines wait until the devices were looked at: if one is lost,
        its allocation has ended by then, and the crash is no verdict.
        """
        if self._held is not None and len(self._held) < _MOST_HELD:
            self._held.append(line)
        elif self._held is None and _is_crash(line) and self._devices.depends(line["attempt"]):
            self._held = [line]
            self._looking = asyncio.ensure_future(self._devices.look())
            self._looking.add_done_callback(lambda _: self._go_on())
        else:
            self._go_on()
            self._take(line)

    def _go_on(self) -> None:
        held, self._held = self._held, None
        for line in held or ():
            self._take(line)

    def _take(self, line: Line) -> None:
        action = self._kinds.get(line.get("op", ""))
        sequence = line.get("sequence") or 0
        if sequence and self._link.window.seen(sequence):
            return
        try:
            if action is not None:
                action(line)
        except (KeyError, ValueError, TypeError) as error:
            get_logger().error("the shim said something that cannot be understood", op=line.get("op"), exc_info=error)

    def interrupt(self, reason: str) -> None:
        """From now on cancelled attempts are this worker's doing, so that they are executed elsewhere."""
        self._interrupted_for = reason

    def _attached(self, line: Line) -> None:
        for allocation in line.get("allocations") or ():
            name = allocation["allocation"]
            known = self._link.holdings.get(name) is not None
            about = self._openings.abouts.get(name) or self._openings.recall(name)
            slots = [slot["slot"] for slot in allocation["slots"]]
            attempts = [(one["attempt"], slot["slot"]) for slot in allocation["slots"] for one in slot["attempts"]]
            for one in (one for slot in allocation["slots"] for one in slot["attempts"]):
                if one.get("current") is not None and one.get("since"):
                    self._lasting.started(one["attempt"], one["current"], one["since"])
            wanting = [slot["slot"] for slot in allocation["slots"] if slot.get("wanting")]
            holding = self._link.holdings.adopt(name, about.slots if about else slots, slots, attempts, wanting)
            if not known:
                holding.advance(_PHASES.get(allocation["state"], Phase.CLOSING))
        self._on_attached(line)

    def _collected(self, line: Line) -> None:
        name = line["allocation"]
        holding = self._link.holdings.get(name)
        if holding is None:
            return
        about = self._openings.abouts.get(name)
        for piece in upward.collected(line, about.known_digest if about else ""):
            self._link.say(wire.WorkerMessage(collected=piece), allocation=name)
        if about is not None and line.get("safe_to_fork") is False:
            self._logs.system(about, f"slots start on their own, they cannot be forked: {line.get('reason')}")
        self._orders.ready(holding)
        self._wake()

    def _want(self, line: Line) -> None:
        holding = self._link.holdings.get(line["allocation"])
        if holding is not None:
            holding.wanting.add(line["slot"])
            self._link.say(facts.want(holding.allocation, [line["slot"]]), allocation=holding.allocation)
            self._wake()

    def _slots_closed(self, line: Line) -> None:
        holding = self._link.holdings.get(line["allocation"])
        if holding is not None:
            self._orders.slots_closed(holding, line["slots"])

    def _started(self, line: Line) -> None:
        self._lasting.started(line["attempt"], line["case"], line["at"])

    def _inspected(self, line: Line) -> None:
        self._link.say(wire.WorkerMessage(inspected=upward.inspected(line)))
        self._wake()

    def _log(self, line: Line) -> None:
        about = self._openings.abouts.get(line["allocation"])
        if about is not None:
            self._logs.output(about, line["slot"], line["stream"], line["data"])

    def _trouble(self, line: Line) -> None:
        get_logger().error("the shim cannot go on", cause=line["cause"], message=line.get("message"))
        self._on_trouble(line["cause"])

    def _refused(self, line: Line) -> None:
        get_logger().error("the shim refused a line", request=line.get("request"), message=line.get("message"))

    def _result(self, line: Line) -> None:
        self._on_trouble("")  # what is journalled has found room
        self._lasting.ended(line["attempt"], line["case"])
        result = upward.case_result(line)
        size = 256 + _long_texts(result) + sum(map(_long_texts, result.earlier))
        self._link.result(line["attempt"], result, shim_sequence=line["sequence"], size=size)
        failed = line["outcome"] in _FAILED and self._stops_runs(line["attempt"])
        if failed or self._decides_what_follows(line):
            self._wake()
        else:
            self._wake_soon()

    def _decides_what_follows(self, line: Line) -> bool:
        """Whether it is that of a long case on a slot that has asked: what follows may have been left open until it ends."""
        if sum(line.get("durations") or ()) < _LONG_SECONDS:
            return False
        holding = self._link.holdings.of(line["attempt"])
        return holding is not None and holding.attempts.get(line["attempt"]) in holding.wanting

    def _stops_runs(self, attempt: int) -> bool:
        """Whether a failure in it may end its run, which then must not wait for other results."""
        holding = self._link.holdings.of(attempt)
        about = self._openings.abouts.get(holding.allocation) if holding else None
        return about is not None and about.max_failures > 0

    def _finished(self, line: Line) -> None:
        attempt = line["attempt"]
        self._lasting.finished(attempt)
        holding = self._link.holdings.of(attempt)
        if self._interrupted_for and line["cause"] == "cancelled":
            line = {**line, "cause": "host_lost", "message": self._interrupted_for}
        self._link.finished(attempt, upward.attempt_finished(line), shim_sequence=line["sequence"])
        if holding is None or not holding.running or holding.attempts.get(attempt) in holding.wanting:
            # Nothing more comes by itself, or its slot gets what it has asked for when this has ended.
            self._wake()
        else:
            self._wake_soon()
        if holding is not None:
            self._artifacts.collect(holding.allocation, self._openings.abouts.get(holding.allocation))

    def _closed(self, line: Line) -> None:
        name = line["allocation"]
        holding = self._link.holdings.get(name)
        if holding is not None:
            holding.advance(Phase.CLOSING)

        def given_back(waiting: Sequence[str], lost: Sequence[str]) -> None:
            # Not before its files are in the run, or known to be late: a fleet of one run may end as soon as nothing is held any more.
            if holding is not None:
                holding.advance(Phase.ENDED)
            ended = upward.allocation_ended(line)
            ended.waiting_artifacts.extend(waiting)
            ended.lost_artifacts.extend(lost)
            ended.names_lost_artifacts = True
            self._link.ended(name, ended, shim_sequence=line["sequence"])
            self._wake()

        self._artifacts.end(name, self._openings.abouts.get(name), given_back)
        self._openings.forget(name)


def _is_crash(line: Line) -> bool:
    return line.get("op") == "result" and line.get("outcome") == "crashed"


def _long_texts(shown: result_pb2.CaseResult | result_pb2.EarlierResult) -> int:
    return len(shown.details) + sum(len(section.content) for section in shown.sections)
