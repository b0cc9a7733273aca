"""A watch that goes on over broken connections and lost members, and misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from crossfleet.foundation import logs
from crossfleet.foundation.errors.access import PermissionDenied
from crossfleet.foundation.errors.load import CursorExpired, Unavailable
from crossfleet.foundation.etcd.calls import Calls, Metadata
from crossfleet.foundation.etcd.failures import CallFailed, Failure, silent
from crossfleet.foundation.etcd.members import Member
from crossfleet.internal.etcd.v1 import etcd_pb2

_WATCH = "/etcdserverpb.Watch/Watch"
_RANGE = "/etcdserverpb.KV/Range"


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed, in order of revision. Nothing that changed up to `revision` is still to come."""

    revision: int
    events: Sequence[etcd_pb2.Event]


class Watch:
    """A watch of the keys from `key` up to `range_end`, from the change at revision `start` on (0: from now on)."""

    def __init__(self, calls: Calls, key: bytes, range_end: bytes, start: int) -> None:
        self._calls = calls
        self._key, self._range_end = key, range_end
        self._next = start
        self._interrupted = False

    async def changes(self) -> AsyncGenerator[Changes, None]:
        """Yields Changes for as long as it is read; some without events, as when the watch stands.

        Goes on where it was, with another member when one fails. Raises CursorExpired when etcd does not have the next
        revision any more, or, restored from a backup, not yet: list the keys and watch anew. Raises Unauthenticated and
        PermissionDenied.
        """
        pauses = self._calls.pauses()
        while True:
            member = self._calls.members.present
            try:
                call, created = await self._calls.attempt(member, self._open)
                try:
                    await self._check_start(member, created)
                    pauses = self._stands(member, created)
                    yield Changes(self._next - 1, ())
                    while True:
                        yield self._taken(member, await self._read(member, call))
                finally:
                    call.cancel()
            except CallFailed as failed:
                self._note(failed.failure)
            self._calls.members.leave(member)
            await self._calls.clock.sleep(next(pauses))

    async def _open(self, member: Member, metadata: Metadata) -> tuple[Any, etcd_pb2.WatchResponse]:
        """The stream, and what it answered to the creation of the watch."""
        create = etcd_pb2.WatchCreateRequest(
            key=self._key, range_end=self._range_end, start_revision=self._next, progress_notify=True
        )
        begin = member.channel.stream_stream(
            _WATCH,
            request_serializer=etcd_pb2.WatchRequest.SerializeToString,
            response_deserializer=etcd_pb2.WatchResponse.FromString,
        )
        call = begin(metadata=metadata)
        try:
            async with asyncio.timeout(self._calls.attempt_seconds):
                await call.write(etcd_pb2.WatchRequest(create_request=create))
                created = await self._read(member, call)
            self._check_alive(member, created)
        except TimeoutError as late:
            call.cancel()
            raise CallFailed(silent(member.address)) from late
        except grpc.aio.AioRpcError as error:
            raise self._calls.failed(member, error) from error
        except BaseException:
            call.cancel()
            raise
        return call, created

    async def _read(self, member: Member, call: Any) -> etcd_pb2.WatchResponse:
        try:
            answer = await call.read()
        except grpc.aio.AioRpcError as error:
            raise self._calls.failed(member, error) from error
        if not isinstance(answer, etcd_pb2.WatchResponse):
            ended = Unavailable(f"etcd at {member.address} ended the watch", address=member.address)
            raise CallFailed(Failure(ended, elsewhere=True))
        self._calls.check_cluster(member, answer)
        return answer

    def _taken(self, member: Member, answer: etcd_pb2.WatchResponse) -> Changes:
        self._check_alive(member, answer)
        last = answer.events[-1].kv.mod_revision if answer.events else answer.header.revision
        self._next = max(self._next, last + 1)
        return Changes(self._next - 1, answer.events)

    def _check_alive(self, member: Member, answer: etcd_pb2.WatchResponse) -> None:
        if not answer.canceled:
            return
        if answer.compact_revision:
            raise CursorExpired(
                f"etcd keeps changes from revision {answer.compact_revision} on, not {self._next}",
                first_cursor=answer.compact_revision,
            )
        text = f"etcd at {member.address} ended the watch: {answer.cancel_reason}"
        if "permission denied" in answer.cancel_reason or "auth token" in answer.cancel_reason:
            # Etcd 3.4 says so of a dead token too.
            raise CallFailed(Failure(PermissionDenied(text), token=True))
        raise CallFailed(Failure(Unavailable(text, address=member.address), elsewhere=True))

    async def _check_start(self, member: Member, created: etcd_pb2.WatchResponse) -> None:
        """A start in the future is waited for without a word: right of a member that is behind, not of a lost past."""
        if self._next <= created.header.revision + 1:
            return

        async def agreed(member: Member, metadata: Metadata) -> etcd_pb2.RangeResponse:
            request = etcd_pb2.RangeRequest(key=self._key, count_only=True)
            return await self._calls.send(member, _RANGE, request, etcd_pb2.RangeResponse, metadata)

        revision = (await self._calls.attempt(member, agreed)).header.revision
        if self._next > revision + 1:
            raise CursorExpired(
                f"etcd is at revision {revision} and was past {self._next - 1}: it was restored from a backup",
                first_cursor=revision,
            )

    def _stands(self, member: Member, created: etcd_pb2.WatchResponse) -> Any:
        if self._interrupted:
            logs.get_logger().info("etcd is watched again", member=member.address, revision=self._next)
        self._interrupted = False
        self._next = self._next or created.header.revision + 1
        return self._calls.pauses()

    def _note(self, failure: Failure) -> None:
        """Says so once for each interruption. Raises what only a person can mend."""
        if not failure.elsewhere:
            raise failure.error
        if not self._interrupted:
            logs.get_logger().warning("etcd is not watched; it is tried again", cause=str(failure.error))
        self._interrupted = True
