"""All sessions of workers: admission, orders after each commit, and leases."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.convert import orders, reports
from crossfleet.coordinator.convert.allocations import Specs
from crossfleet.coordinator.core import commands
from crossfleet.coordinator.core import events as facts
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.coordinator.executing.inquiries import Inquiries
from crossfleet.coordinator.executing.lasting import Lasting
from crossfleet.coordinator.sessions.admission import hello_of, refuse_twin
from crossfleet.coordinator.sessions.leases import LeaseChange, Leases
from crossfleet.coordinator.sessions.reconciliation import reconcile, welcome
from crossfleet.coordinator.sessions.routing import route
from crossfleet.coordinator.sessions.session import Commit, Record, Session
from crossfleet.coordinator.sessions.turns import Turns
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors import CrossfleetError, DeadlineExceeded, Draining, LeaseLost, SessionReplaced
from crossfleet.foundation.ids import IdSource
from crossfleet.foundation.logs import get_logger

_HELLO_SECONDS = 10.0
_BROKEN_SESSIONS = 3
_ENDED = "it was of a fleet that has ended"
# Reports that wait for their commit fill some batches of the ledger. More would only make everybody else's commands wait behind
# them; in their sessions they gather, and several become one.
_UNCOMMITTED_REPORTS = 64


@dataclass(slots=True)
class FleetSessions:
    """The workers that are connected, and the leases of those that are not (yet, or any more)."""

    commit: Commit
    record: Record
    epoch: int
    leases: Leases
    clock: Clock
    ids: IdSource
    state: State
    awaits: frozenset[str] = frozenset()
    """Of the workers of before, by name, those that may come back; empty: all."""
    lasting: Lasting = field(init=False)
    inquiries: Inquiries = field(init=False)
    _sessions: dict[str, Session] = field(default_factory=dict)
    _specs: Specs = field(default_factory=Specs)
    _told_to_close: set[str] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _turns: Turns = field(default_factory=lambda: Turns(_UNCOMMITTED_REPORTS))
    _broken: Counter[str] = field(default_factory=Counter)
    _met: set[str] = field(default_factory=set)
    """Workers that were heard in this term."""
    _closed: bool = False

    def __post_init__(self) -> None:
        """Workers of before the take-over get one lease to come back, but for those that have ended."""
        self.lasting = Lasting(lambda: self.state, self.clock)
        self.inquiries = Inquiries(self._tell)
        for worker in self.state.workers.values():
            if worker.state is not WorkerState.LOST and self._may_come_back(worker.worker_id):
                self.leases.begin(worker.worker_id, worker.session_id, self.clock.monotonic())

    def _may_come_back(self, worker_id: str) -> bool:
        return not self.awaits or worker_id in self.awaits

    def __len__(self) -> int:
        """Open sessions."""
        return len(self._sessions)

    def heard_at(self, worker_id: str) -> float:
        """When a worker was last heard, in unix seconds; 0.0 for one whose lease has ended."""
        silence = self.leases.silence(worker_id, self.clock.monotonic())
        return 0.0 if silence is None else self.clock.now() - silence

    async def serve(
        self, requests: AsyncIterator[worker_pb2.ConnectRequest]
    ) -> AsyncIterator[worker_pb2.ConnectResponse]:
        """One stream, from its Hello to its end. Raises what refuses or ends the session."""
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                first = await anext(requests)
        except TimeoutError:
            raise DeadlineExceeded(f"no Hello within {_HELLO_SECONDS:g} s") from None
        except StopAsyncIteration:
            return
        session = self._admit(hello_of(first))
        join = self._join(session, reports.hello(first.messages[0].hello, session.session_id))
        reader = asyncio.ensure_future(session.read(join, first.messages[1:], requests, lambda: self._heard(session)))
        try:
            async for response in session.outbox.batches():
                yield response
        finally:
            reader.cancel()
            if self._sessions.get(session.worker_id) is session:
                del self._sessions[session.worker_id]
                self.lasting.forget(session.worker_id)
            self._count_broken(session)

    def _count_broken(self, session: Session) -> None:
        """A report that cannot be carried out comes again with each session: the third time, what its worker holds is given up."""
        if not session.broke:
            self._broken.pop(session.worker_id, None)
            return
        self._broken[session.worker_id] += 1
        if self._broken[session.worker_id] >= _BROKEN_SESSIONS:
            del self._broken[session.worker_id]
            reason = "its reports cannot be carried out: see the log of the coordinator"
            self._spawn(commands.WorkerLost(session.worker_id, reason))

    def _tell(self, worker_id: str, message: orders.Message) -> bool:
        session = self._sessions.get(worker_id)
        if session is None or not session.welcomed:
            return False
        session.outbox.put([message])
        return True

    def _admit(self, hello: worker_pb2.Hello) -> Session:
        if self._closed:
            raise Draining("the coordinator is going down", service="coordinator", retry_after=1.0)
        worker_id = hello.worker.worker_id
        earlier = self._sessions.get(worker_id)
        known = self.state.workers.get(worker_id)
        gone = known is not None and known.state is WorkerState.LOST and earlier is None
        leased = self.leases.living(worker_id) and not gone
        refuse_twin(hello, known, earlier, leased=leased, lease=self.leases.seconds)
        told = (self.lasting, self.inquiries)
        session_id = self.ids.new("session")
        session = Session(session_id, hello, self.commit, self.record, *told, self._turns, lambda: self.state)
        if earlier is not None:
            earlier.outbox.close(
                SessionReplaced("the worker opened another session", worker=worker_id, incarnation=earlier.incarnation)
            )
        self._sessions[worker_id] = session
        self.leases.begin(worker_id, session.session_id, self.clock.monotonic())
        return session

    async def _join(self, session: Session, hello: commands.WorkerHello) -> None:
        known = self.state.workers.get(session.worker_id)
        if known is not None and known.incarnation != session.incarnation and known.state is not WorkerState.LOST:
            await self.commit(self._lost(session.worker_id, "it was started anew"))
        self._met.add(session.worker_id)
        await self.commit(hello)

    def _heard(self, session: Session) -> None:
        if self.leases.heard(session.worker_id, session.session_id, self.clock.monotonic()):
            self._spawn(commands.WorkerHeard(session.worker_id, session.session_id))

    def _spawn(self, command: commands.Command) -> None:
        task = asyncio.ensure_future(self._quietly(command))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _quietly(self, command: commands.Command) -> None:
        try:
            await self.commit(command)
        except CrossfleetError as error:
            get_logger().warning("a lease's change was refused", reason=error.reason, message=error.message)
            self._say_again(command)

    def _say_again(self, command: commands.Command) -> None:
        """The disk may be full, or the database away: whoever is lost, or back, must not stay what the state says."""
        match command:
            case commands.WorkerLost(worker_id=worker_id) if not self.leases.living(worker_id):
                self.leases.begin(worker_id, "", self.clock.monotonic())
            case commands.WorkerHeard(worker_id=worker_id, session_id=session_id):
                self.leases.unheard(worker_id, session_id)

    def committed(self, state: State, events: Sequence[facts.Event]) -> None:
        """Called right after each commit, with the state as committed: sends what follows to the workers."""
        self.state = state
        joined = self._welcome(state, events)
        for worker_id, messages in route(state, events, self._specs, self._by_number, self._told_to_close).items():
            session = self._sessions.get(worker_id)
            if session is not None and session.welcomed and worker_id not in joined:
                session.outbox.put(messages)

    def _by_number(self, worker_id: str) -> frozenset[str]:
        session = self._sessions.get(worker_id)
        return session.by_number if session is not None else frozenset()

    def _welcome(self, state: State, events: Sequence[facts.Event]) -> set[str]:
        """Answers Hellos, and sends what follows from each in the same batch. What came before is reconciled."""
        joined = set()
        for place, event in enumerate(events):
            if type(event) is not facts.WorkerJoined:
                continue
            session = self._sessions.get(event.worker_id)
            if session is None or session.session_id != event.session_id:
                continue
            joined.add(event.worker_id)
            found = reconcile(state, event.worker_id, session.held, self._specs, session.by_number)
            following = events[place + 1 :]
            session.unsure = found.unsure - _assigned(following, event.worker_id)
            session.welcomed = True
            greeting: orders.Message = welcome(self.epoch, self.leases.seconds, 0, found)
            # What this says to others they are told anyway.
            news = route(state, following, self._specs, self._by_number, set()).get(event.worker_id, [])
            session.outbox.put([greeting, *found.messages, *news])
        return joined

    async def watch_leases(self) -> None:
        """Tells the machine who has been silent for too long; runs until cancelled.

        A coordinator that was stopped for a while finds no message of that time read: its workers must not pay for that.
        """
        most = self.leases.seconds / 8
        due = self.clock.monotonic()
        for worker in self.state.workers.values():
            ended = worker.state is not WorkerState.LOST and not self.leases.living(worker.worker_id)
            if ended:
                self._spawn(self._lost(worker.worker_id, _ENDED))
        while True:
            now = self.clock.monotonic()
            if now - due > most:
                get_logger().warning("this coordinator stood still", seconds=round(now - due, 3))
                self.leases.excuse(now - due)
            for worker_id, session_id, change in self.leases.due(now):
                if change is LeaseChange.SILENT:
                    self._spawn(commands.WorkerSilent(worker_id, session_id))
                else:
                    self._lose(worker_id)
            pause = min(max(self.leases.next_check(now), 0.01), most)
            due = now + pause
            await self.clock.sleep(pause)

    def _lose(self, worker_id: str) -> None:
        reason = f"nothing was heard of it for {self.leases.seconds:g} s"
        session = self._sessions.get(worker_id)
        if session is not None:
            session.outbox.close(LeaseLost(reason, worker=worker_id, ttl_seconds=self.leases.seconds))
        self._spawn(self._lost(worker_id, reason))

    def _lost(self, worker_id: str, reason: str) -> commands.WorkerLost:
        """A host is not blamed for having gone while nobody led: all of a fleet may have been ended together."""
        return commands.WorkerLost(worker_id, reason, blames=worker_id in self._met)

    def close(self) -> None:
        """Ends every stream and refuses others: the coordinator goes down, and workers keep what they have."""
        self._closed = True
        for session in self._sessions.values():
            session.outbox.close()


def _assigned(events: Iterable[facts.Event], worker_id: str) -> set[int]:
    """The attempts that these facts put on a worker."""
    return {
        task.attempt_id
        for event in events
        if type(event) is facts.TasksAssigned and event.worker_id == worker_id
        for task in event.tasks
    }
