"""Hosts that are to be quiet: what may be asked of them, and which can say whether they are."""

from dataclasses import replace

import pytest

from crossfleet.api.types.v1 import suite_pb2
from crossfleet.matching.fit import eligible, fit
from crossfleet.matching.free import Fit, Free
from crossfleet.matching.gates import Gates
from crossfleet.matching.messages import request_from
from crossfleet.matching.misfit import Code, Misfit, Wait
from crossfleet.matching.model import Request, WorkerView
from crossfleet.matching.request import RequestError, validate
from crossfleet.matching.selectors import Selectors

SELECTORS = Selectors()
WORKER = WorkerView("w1", cpu_cores=4.0, slots_total=4, host="h1", gates=frozenset({"load", "pressure"}))


def test_a_worker_that_cannot_measure_a_gate_never_satisfies_the_request():
    asked = Request(exclusive=True, gates=Gates(load=0.0, clock=0.9))
    found = eligible(asked, WORKER, SELECTORS)
    assert isinstance(found, Misfit)
    assert (found.wait, found.code, found.text) == (Wait.NEVER, Code.GATES, "clock cannot be measured on w1")
    able = replace(WORKER, gates=frozenset({"load", "clock"}))
    assert not isinstance(eligible(asked, able, SELECTORS), Misfit)
    assert able.signature != WORKER.signature


def test_whoever_has_a_worker_alone_has_its_host():
    alone, other = Request(exclusive=True), Request(cpu_cores=1)
    idle, busy = Free.whole(WORKER), Free.whole(WORKER).minus(other, 1, (), WORKER)
    held = Free.whole(WORKER).minus(alone, 1, (), WORKER)
    assert isinstance(fit(alone, WORKER, idle.beside([idle, idle]), SELECTORS), Fit)
    assert isinstance(fit(alone, WORKER, idle.beside([idle, busy]), SELECTORS), Misfit)
    assert isinstance(fit(other, WORKER, idle.beside([busy]), SELECTORS), Fit)
    assert isinstance(fit(other, WORKER, idle.beside([busy, held]), SELECTORS), Misfit)


@pytest.mark.parametrize(
    ("gates", "field"),
    [
        (Gates(temperature=200), "temperature"),
        (Gates(temperature=float("nan")), "temperature"),
        (Gates(clock=0.0), "clock"),
        (Gates(clock=1.1), "clock"),
        (Gates(load=-0.1), "load"),
        (Gates(pressure=2), "pressure"),
        (Gates(gpu=-1), "gpu"),
        (Gates(load=1, wait_seconds=0), "wait"),
        (Gates(load=1, wait_seconds=1e6), "wait"),
        (Gates(load=1, repeats=11), "repeats"),
    ],
)
def test_a_gate_that_cannot_be_is_refused_by_its_name(gates, field):
    with pytest.raises(RequestError) as caught:
        validate(Request(exclusive=True, gates=gates), SELECTORS)
    assert caught.value.field == f"gates.{field}"


def test_gates_need_a_host_alone_and_are_not_for_gangs():
    with pytest.raises(RequestError, match="set exclusive too"):
        validate(Request(gates=Gates(load=1)), SELECTORS)
    with pytest.raises(RequestError, match="gang"):
        validate(Request(exclusive=True, gang=2, gates=Gates(load=1)), SELECTORS)
    with pytest.raises(RequestError, match="slots_min"):
        validate(Request(exclusive=True, slots_min=2, gates=Gates(load=1)), SELECTORS)
    validate(Request(exclusive=True, gates=Gates(load=0, pressure=0, gpu=0)), SELECTORS)


def test_what_is_not_said_has_a_default_and_zero_is_said():
    message = suite_pb2.Request(exclusive=True, gates=suite_pb2.Gates(load=0, repeats=0))
    assert request_from(message, "", "").gates == Gates(load=0.0, wait_seconds=120.0, repeats=0)
    assert request_from(suite_pb2.Request(), "", "").gates == Gates()
