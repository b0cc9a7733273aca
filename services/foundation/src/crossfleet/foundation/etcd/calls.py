"""Calls to etcd: with a token where it asks for one, to another member when one fails, within a limit of time."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from crossfleet.foundation.auth import read_secret
from crossfleet.foundation.clock import Clock, SystemClock
from crossfleet.foundation.etcd.failures import CallFailed, Failure, judge, wrong_endpoint
from crossfleet.foundation.etcd.members import Member, Members
from crossfleet.foundation.etcd.settings import EtcdSettings
from crossfleet.foundation.retry import delays
from crossfleet.internal.etcd.v1 import etcd_pb2

T = TypeVar("T")
R = TypeVar("R", bound=Message)
Metadata = tuple[tuple[str, str], ...]
Send = Callable[[Member, Metadata], Awaitable[T]]
"""One attempt of a call. It may raise CallFailed."""

_AUTHENTICATE = "/etcdserverpb.Auth/Authenticate"
_WITH_LEADER: Metadata = (("hasleader", "true"),)
"""A member that is cut off from the others then refuses at once, and ends its watches, in place of keeping silent."""


class Calls:
    """The calls of one client. `attempt_seconds`: the longest wait for one member; `call_seconds`: for an answer at all."""

    def __init__(
        self,
        settings: EtcdSettings,
        *,
        attempt_seconds: float,
        call_seconds: float,
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Raises ConfigurationInvalid, CertificateInvalid, InsecureTransport, FilePermissionsUnsafe."""
        self.attempt_seconds = attempt_seconds
        self.tls = settings.tls
        self.members = Members(settings, draw)
        self.clock = clock or SystemClock()
        self._call_seconds = call_seconds
        self._draw = draw
        self._user = settings.user
        self._password = read_secret(settings.password_file, "password") if settings.password_file else ""
        self._token: str | None = None
        self._renewing = asyncio.Lock()
        self._cluster = 0

    def pauses(self) -> Iterator[float]:
        """Seconds between attempts, growing and drawn."""
        return delays(longest=1.0, draw=self._draw)

    async def unary(self, method: str, request: Message, answer: type[R], *, repeatable: bool) -> R:
        """One call and its answer; raises what `call` raises."""

        async def send(member: Member, metadata: Metadata) -> R:
            return await self.send(member, method, request, answer, metadata)

        return await self.call(send, repeatable=repeatable)

    async def call(self, send: Send[T], *, repeatable: bool) -> T:
        """The answer of the first member that gives one. What is not `repeatable` is sent again only if nothing was done.

        Raises Unavailable or DeadlineExceeded when time is up (what is not repeatable may then have been done),
        RateLimited, Unauthenticated, PermissionDenied, CertificateInvalid, ConfigurationInvalid, LeaseLost, DiskFull.
        """
        end = self.clock.monotonic() + self._call_seconds
        pauses = self.pauses()
        for number in itertools.count(1):
            member = self.members.present
            try:
                return await self.attempt(member, send)
            except CallFailed as failed:
                failure = failed.failure
            if failure.elsewhere:
                self.members.leave(member)
            round_is_over = number % len(self.members.all) == 0
            pause = next(pauses) if round_is_over else 0.0
            again = failure.elsewhere and (repeatable or failure.undone)
            if not again or self.clock.monotonic() + pause >= end:
                raise failure.error
            await self.clock.sleep(pause)
        raise AssertionError("it has no end")

    async def attempt(self, member: Member, send: Send[T]) -> T:
        """`send` to this member, once more with a new token when it refuses the old one. Raises CallFailed."""
        if self._user and self._token is None:
            await self._renew_token(member, None)
        token = self._token
        try:
            return await send(member, self._metadata())
        except CallFailed as failed:
            if not self._user or not failed.failure.token:
                raise
        await self._renew_token(member, token)
        return await send(member, self._metadata())

    async def send(self, member: Member, method: str, request: Message, answer: type[R], metadata: Metadata) -> R:
        """One unary call to one member. Raises CallFailed."""
        begin = member.channel.unary_unary(
            method, request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString
        )
        try:
            found: R = await begin(request, timeout=self.attempt_seconds, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            raise self.failed(member, error) from error
        self.check_cluster(member, found)
        return found

    def failed(self, member: Member, error: grpc.aio.AioRpcError) -> CallFailed:
        """What to raise for gRPC's own error."""
        return CallFailed(judge(member.address, error.code(), error.details() or "", tls=self.tls))

    def check_cluster(self, member: Member, answer: Any) -> None:
        """Raises CallFailed when the answer is of another cluster than the first one ever was."""
        cluster = answer.header.cluster_id
        self._cluster = self._cluster or cluster
        if cluster != self._cluster:
            text = f"belongs to cluster {cluster:x}, the other endpoints to {self._cluster:x}"
            wrong = wrong_endpoint(member.address, text, cluster=f"{cluster:x}")
            raise CallFailed(Failure(wrong, elsewhere=True))

    def _metadata(self) -> Metadata:
        return (*_WITH_LEADER, ("token", self._token)) if self._token else _WITH_LEADER

    async def _renew_token(self, member: Member, refused: str | None) -> None:
        """A token in place of the one that was refused, asked for once by however many calls need it."""
        async with self._renewing:
            if self._token != refused:
                return
            request = etcd_pb2.AuthenticateRequest(name=self._user, password=self._password)
            try:
                answer = await self.send(member, _AUTHENTICATE, request, etcd_pb2.AuthenticateResponse, _WITH_LEADER)
            except CallFailed as failed:
                if "authentication is not enabled" not in str(failed):
                    raise
                self._token = ""
            else:
                self._token = answer.token
