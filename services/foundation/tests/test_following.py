"""Where a caller goes among coordinators, and how long it goes on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.foundation.channel import Credentials
from crossfleet.foundation.errors import (
    AddressInvalid,
    CrossfleetError,
    DeadlineExceeded,
    InsecureTransport,
    NoLeader,
    NotLeader,
    QueueFull,
    RunNotFound,
    Unavailable,
)
from crossfleet.foundation.following import attention
from crossfleet.foundation.following.channel import FollowingChannel
from crossfleet.foundation.following.pursuit import Pursuit, pursue
from crossfleet.foundation.following.route import Route
from crossfleet.foundation.testing import JumpingClock, serving
from services.foundation.tests.echo import EchoStub, Request, echo_definition

GIVEN = ("10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1")
OTHERS = ("10.0.0.4:1", "unix:/c", "127.0.0.1:1", "nonsense", "")
failures = st.one_of(
    st.builds(lambda leader: NotLeader("no", leader=leader), st.sampled_from(GIVEN + OTHERS)),
    st.builds(lambda: NotLeader("no")),
    st.builds(lambda: NoLeader("nobody")),
    st.builds(lambda: Unavailable("gone")),
    st.builds(lambda: RunNotFound("no run")),
)


def route(addresses: str = ",".join(GIVEN), credentials: Credentials | None = None) -> Route:
    return Route(addresses, (credentials or Credentials()).check)


@given(st.lists(failures, max_size=60))
def test_whatever_fails_every_given_address_is_tried_again_and_nothing_else_but_a_leader_that_may_be_followed(
    errors: list[CrossfleetError],
) -> None:
    found = route()
    visited = []
    for error in [*errors, *[Unavailable("gone")] * 3]:
        found.turn(found.seat, error)
        visited.append(found.seat.address)
    assert set(visited) <= {*GIVEN, "10.0.0.4:1"}
    assert set(GIVEN) <= {*visited[-3:]}
    assert found.exhausted


@given(st.lists(failures, max_size=40))
def test_no_more_than_two_leaders_are_followed_without_a_pause(errors: list[CrossfleetError]) -> None:
    found = route()
    in_a_row = 0
    for error in errors:
        in_a_row = in_a_row + 1 if found.turn(found.seat, error) else 0
        assert in_a_row <= 2


def test_news_of_an_earlier_seat_moves_nothing() -> None:
    found = route()
    first = found.seat
    found.turn(first, NotLeader("no", leader="10.0.0.2:1"))
    second = found.seat
    assert found.turn(first, Unavailable("gone"))
    assert (found.seat, second.address) == (second, "10.0.0.2:1")


def test_callers_that_lose_the_same_coordinator_turn_to_different_ones() -> None:
    turned = set()
    for _ in range(50):
        found = route()
        found.turn(found.seat, Unavailable("gone"))
        turned.add(found.seat.address)
    assert turned == {*GIVEN[1:]}


@pytest.mark.parametrize(
    ("source", "named", "followed"),
    [
        ("10.0.0.1:1", "10.0.0.9:1", True),
        ("10.0.0.1:1", "unix:/c", False),
        ("10.0.0.1:1", "127.0.0.1:1", False),
        ("10.0.0.1:1", "localhost:1", False),
        ("127.0.0.1:1", "127.0.0.1:2", True),
        ("127.0.0.1:1", "unix:/c", True),
        ("unix:/a", "unix:/b", True),
        ("unix:/a", "10.0.0.9:1", True),
    ],
)
def test_an_address_of_one_machine_is_believed_only_there(source: str, named: str, followed: bool) -> None:
    found = route(source)
    assert found.turn(found.seat, NotLeader("no", leader=named)) is followed
    assert found.seat.address == (named if followed else source)
    assert isinstance(found.refusal, AddressInvalid) is not followed


def test_credentials_go_to_a_named_leader_under_the_same_rules_as_to_a_given_one(tmp_path: Path) -> None:
    token = Credentials(token_file=str(tmp_path / "token"))
    with pytest.raises(InsecureTransport):
        route("10.0.0.1:1", token)
    found = route("127.0.0.1:1", token)
    assert not found.turn(found.seat, NotLeader("no", leader="10.0.0.1:1"))
    assert isinstance(found.refusal, InsecureTransport)
    encrypted = route("10.0.0.1:1", Credentials(token_file="t", tls_authority="ca.pem"))
    assert encrypted.turn(encrypted.seat, NotLeader("no", leader="10.0.0.9:1"))


@pytest.mark.parametrize("text", ["", ",", "a:1,", "a:1, ,b:1", "a:1,b"])
def test_a_list_with_a_hole_is_refused(text: str) -> None:
    with pytest.raises(AddressInvalid):
        route(text)


def test_an_address_that_is_given_twice_counts_once() -> None:
    assert route("a:1, a:1,b:1").given == ("a:1", "b:1")


@pytest.fixture
def two(tmp_path: Path) -> Iterator[FollowingChannel]:
    """A channel to two sockets where somebody listens, with a clock that jumps."""
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
        for number, listener in enumerate((one, other)):
            listener.bind(str(tmp_path / str(number)))
            listener.listen(128)
        credentials = Credentials()
        addresses = f"unix:{tmp_path}/0,unix:{tmp_path}/1"
        yield FollowingChannel(Route(addresses, credentials.check), credentials.open, JumpingClock())


async def outcome(channel: FollowingChannel, seconds: float, error: CrossfleetError, each: float = 0.0) -> int:
    """How often a call is tried that fails so, each try after `each` seconds."""
    tries = 0

    async def attempt() -> None:
        nonlocal tries
        tries += 1
        await channel.clock.sleep(each)
        raise error

    with pytest.raises(type(error)):
        await pursue(channel, attempt, seconds)
    return tries


async def test_a_fleet_that_is_frozen_is_given_up_after_the_outage(two: FollowingChannel) -> None:
    two.met = True
    assert await outcome(two, 60.0, DeadlineExceeded("no answer"), each=30.0) <= 4


async def test_an_error_that_no_other_coordinator_would_answer_is_raised_at_once(two: FollowingChannel) -> None:
    assert await outcome(two, 60.0, RunNotFound("no run")) == 1


async def test_a_queue_that_is_full_is_asked_again_at_the_same_place_when_it_says(two: FollowingChannel) -> None:
    two.met = True
    seat = two.seat
    assert 3 <= await outcome(two, 10.0, QueueFull("full", retry_after=3.0)) <= 5
    assert two.seat == seat


async def test_pauses_grow_and_are_drawn_from_nothing_to_all_of_it(two: FollowingChannel) -> None:
    two.met = True
    pursuit = Pursuit(two, 60.0, draw=lambda: 1.0)
    for _ in range(8):
        await pursuit.begin()
        await pursuit.after(Unavailable("gone"))
    assert isinstance(two.clock, JumpingClock)
    assert two.clock.slept == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


async def test_a_stream_that_was_quiet_for_long_has_the_whole_outage_before_it(two: FollowingChannel) -> None:
    two.met = True
    pursuit, quiet = Pursuit(two, 10.0), 300.0
    for _ in range(3):
        await pursuit.begin()
        await two.clock.sleep(quiet)
        await pursuit.after(Unavailable("the stream broke"))
        assert pursuit.failing < pursuit.seconds


async def test_a_budget_ends_the_tries_of_all_callers_together(two: FollowingChannel) -> None:
    two.met = True
    tries = 0
    for _ in range(20):
        tries += await outcome(two, 600.0, Unavailable("gone"))
    assert tries < 250


class Line:
    """Stands for a channel to one address, whose calls end when they are told to."""

    def __init__(self) -> None:
        self.closed = False
        self.calls: list[Line] = []

    def unary_unary(self, method: str) -> Callable[..., Line]:
        def begin() -> Line:
            self.calls.append(Line())
            return self.calls[-1]

        return begin

    def add_done_callback(self, ended: Callable[[object], None]) -> None:
        self.end = lambda: ended(self)

    async def close(self, grace: float | None = None) -> None:
        self.closed = True


async def test_lines_to_leaders_of_long_ago_are_closed_once_nothing_uses_them() -> None:
    lines: dict[str, Line] = {}

    def open_line(address: str) -> Any:
        return lines.setdefault(address, Line())

    channel = FollowingChannel(route(), open_line)
    ask = channel.unary_unary("/a/b")
    for number in range(20):
        channel.route.turn(channel.seat, NotLeader("no", leader=f"10.1.0.{number}:1"))
        channel.route.settled(channel.seat)
        ask()
        if number:
            lines[channel.seat.address].calls[0].end()
        await asyncio.gather(channel.tidy(), channel.tidy())
    still_open = [address for address, line in lines.items() if not line.closed]
    assert len(still_open) == 8
    assert {"10.1.0.0:1", "10.1.0.19:1"} <= set(still_open), "the first has a call under way, the last is the leader"
    await channel.close()
    assert all(line.closed for line in lines.values())


async def test_a_call_that_takes_long_is_waited_for_where_it_is_while_somebody_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attention, "_QUIET_SECONDS", 0.02)
    done, tries = asyncio.Event(), 0

    async def unary(request: Request, context: object) -> Request:
        nonlocal tries
        tries += 1
        await done.wait()
        return request

    async with serving(echo_definition(Unary=unary)) as running:
        addresses = f"{running.address},unix:/nobody"
        channel = FollowingChannel(Route(addresses, Credentials().check), Credentials().open)
        asyncio.get_running_loop().call_later(0.3, done.set)
        answer = await pursue(channel, lambda: EchoStub(channel).unary(Request(service="x"), timeout=10), 60.0)
        await channel.close()
    assert (answer.service, tries) == ("x", 1)
