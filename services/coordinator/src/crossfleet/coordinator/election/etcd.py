"""The election by etcd: candidates queue up below one prefix, each under a lease; the first in the queue leads."""

from __future__ import annotations

import asyncio

from crossfleet.coordinator.election.news import News
from crossfleet.coordinator.election.port import Leader
from crossfleet.coordinator.election.roll import Roll, introduction
from crossfleet.coordinator.election.session import Session, open_session
from crossfleet.foundation import logs
from crossfleet.foundation.clock import Clock, SleeplessClock
from crossfleet.foundation.errors import Cancelled, CrossfleetError, DeadlineExceeded, Unavailable
from crossfleet.foundation.etcd.client import EtcdClient
from crossfleet.foundation.etcd.settings import EtcdSettings
from crossfleet.foundation.retry import delays

DEFAULT = "default"
"""The election of those who name none."""
_ATTEMPT_SHARE = 0.15
_CALL_SHARE = 0.6
"""Of the lease: how long one member of etcd may take to answer, and one call with all its attempts."""
_LONGEST_PAUSE = 2.0
_ASK_AGAIN_SECONDS = 0.2


class EtcdTerm:
    """As port.Term. It ends with its lease, and when its key is deleted by somebody."""

    def __init__(self, session: Session, name: str, revision: int, guard: asyncio.Task[None]) -> None:
        # Two elections of one etcd each have a leader: a ledger must not take the one for the successor of the other.
        self.cluster = session.cluster if name == DEFAULT else f"{session.cluster}/{name}"
        self.revision = revision
        self._session = session
        self._guard = guard

    def remaining(self) -> float:
        """As port.Term."""
        return self._session.remaining()

    async def wait_lost(self) -> str:
        """As port.Term."""
        return await self._session.wait_ended()

    async def resign(self) -> None:
        """As port.Term. It is over at once; the next candidate learns of it in milliseconds."""
        await self._session.close()
        self._guard.cancel()


class EtcdElection:
    """As port.Election. One lease at a time; `campaign` may be called again when a term is over."""

    def __init__(self, client: EtcdClient, name: str, lease_seconds: float, clock: Clock) -> None:
        """Use `open_election`."""
        self._client, self._clock, self._lease_seconds = client, clock, lease_seconds
        self._name = name
        self.prefix = f"/crossfleet/{name}/leader/"
        self._news = News()
        self._roll = Roll(client, self.prefix, self._news)
        self._following: asyncio.Task[None] | None = None
        self._session: Session | None = None
        self._guard: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Begins to follow the election.

        Raises what somebody has to mend: ConfigurationInvalid, CertificateInvalid, Unauthenticated, PermissionDenied.
        An etcd that is away for now is waited for.
        """
        try:
            found = await self._client.probe(self.prefix)
        except (Unavailable, DeadlineExceeded) as error:
            logs.get_logger().warning("etcd cannot be reached; it is waited for", cause=str(error))
        else:
            logs.get_logger().info("etcd answers", cluster=found.cluster, version=found.version, members=found.members)
        self._following = asyncio.create_task(self._roll.follow())

    def leader(self) -> Leader | None:
        """As port.Election. None also when it was this one, and its term is over before etcd has seen that."""
        mine = self._session
        if mine is not None and mine.ended and self._roll.first == self._place(mine):
            return None
        return self._roll.leader

    async def wait_changed(self) -> None:
        """As port.Election."""
        before = self.leader()
        while self.leader() == before:
            await self._news.coming()

    async def campaign(self, me: Leader) -> EtcdTerm:
        """As port.Election. Whatever fails on the way is logged and tried again."""
        pauses, told = delays(longest=_LONGEST_PAUSE), ""
        while not self._closed:
            try:
                term = await self._stand(me)
            except CrossfleetError as error:
                if str(error) != told:
                    logs.get_logger().warning("cannot stand for election; it is tried again", cause=str(error))
                told = str(error)
            else:
                if term is not None:
                    return term
            await asyncio.sleep(next(pauses))
        raise Cancelled("the election was closed")

    async def close(self) -> None:
        """As port.Election."""
        self._closed = True
        for task in (self._following, self._guard):
            if task is not None:
                task.cancel()
        if self._session is not None:
            await self._session.close()
        await self._client.close()

    async def _stand(self, me: Leader) -> EtcdTerm | None:
        """One candidacy: the term that was won, or None when the lease or the place was lost before."""
        if self._session is not None:
            await self._session.close()  # its place would be ahead of the new one
        self._session = session = await open_session(self._client, self._lease_seconds, self._clock, self._news.tell)
        place = self._place(session)
        try:
            revision = await self._client.put(place.decode(), introduction(me), session.lease)
            if not await self._is_first(session, place, revision):
                await session.close()
                return None
        except BaseException:
            await session.close()
            raise
        self._guard = asyncio.create_task(self._end_with_place(session, place, revision))
        return EtcdTerm(session, self._name, revision, self._guard)

    async def _is_first(self, session: Session, place: bytes, revision: int) -> bool:
        """Waits until this place comes first; False when the lease or the place is lost before."""
        while not session.ended:
            news = self._news.coming()
            if self._roll.first == place:
                return True
            if await self._is_gone(session, place, revision):
                return False
            await news
        return False

    async def _end_with_place(self, session: Session, place: bytes, revision: int) -> None:
        """Somebody may delete the key to make another one lead."""
        while not session.ended:
            news = self._news.coming()
            if await self._is_gone(session, place, revision):
                session.end("its key was deleted from etcd")
            await news

    def _place(self, session: Session) -> bytes:
        return f"{self.prefix}{session.lease:016x}".encode()

    async def _is_gone(self, session: Session, place: bytes, revision: int) -> bool:
        """Asks etcd itself where the roll seems to say so: it may know a store that a backup has replaced."""
        while place not in self._roll and self._roll.revision >= revision and not session.ended:
            try:
                return await self._client.get(place.decode()) is None
            except CrossfleetError:
                await asyncio.sleep(_ASK_AGAIN_SECONDS)
        return False


async def open_election(
    settings: EtcdSettings, name: str, lease_seconds: float, clock: Clock | None = None
) -> EtcdElection:
    """The election called `name`. Raises what EtcdClient and `EtcdElection.start` raise."""
    clock = clock or SleeplessClock()
    client = EtcdClient(
        settings, attempt_seconds=_ATTEMPT_SHARE * lease_seconds, call_seconds=_CALL_SHARE * lease_seconds, clock=clock
    )
    election = EtcdElection(client, name, lease_seconds, clock)
    try:
        await election.start()
    except BaseException:
        await client.close()
        raise
    return election
