"""Which workers a fleet of this machine has, and the processes that it is made of."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.cli.exits import UsageError
from crossfleet.cli.fleet.cores import share_slots, usable_cores
from crossfleet.cli.fleet.options import embedded_plan, plan_workers
from crossfleet.cli.fleet.plan import FleetPlan, ServicePlan, WorkerPlan, services
from crossfleet.cli.fleet.process import ServiceProcess
from crossfleet.cli.running.options import parse


@given(st.integers(0, 200), st.integers(1, 64))
def test_slots_are_dealt_evenly_and_none_is_lost(slots: int, workers: int) -> None:
    shares = share_slots(slots, workers)
    assert sum(shares) == max(slots, workers)
    assert max(shares) - min(shares) <= 1
    assert min(shares) >= 1


@given(st.integers(1, 64), st.integers(0, 128), st.floats(0.5, 128))
def test_slots_of_one_machine_never_add_up_to_more_cores_than_it_has(count: int, slots: int, cores: float) -> None:
    workers = plan_workers(count, (), slots, cores)
    assert sum(worker.cpu_cores for worker in workers) == pytest.approx(cores)
    assert len({worker.name for worker in workers}) == count


def test_workers_with_labels_are_planned() -> None:
    east, west = plan_workers(0, ("east,zone=eu,disk=fast", "west"), 3, 2.0)
    assert (east, west.labels) == (WorkerPlan("east", 2, 2.0 * 2 / 3, (("zone", "eu"), ("disk", "fast"))), ())


@pytest.mark.parametrize(("count", "named"), [(2, ("a",)), (-1, ()), (0, ("a", "a")), (0, ("a,b",)), (0, ("a b",))])
def test_workers_that_cannot_be_are_refused(count: int, named: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--worker"):
        plan_workers(count, named, 0, 2.0)


def test_a_fleet_on_tcp_takes_no_local_paths_and_has_a_token() -> None:
    workers = plan_workers(1, (), 0, 2.0)
    unix = services(FleetPlan("/data", workers), "/run/cf", 7)
    tcp = services(FleetPlan("/data", workers, grpc="127.0.0.1:7400", gateway=True), "/run/cf", 7)
    assert all("--embedded" in plan.command for plan in (unix[0], unix[2]))
    assert not any("--embedded" in plan.command for plan in tcp)
    assert "/data/token" in tcp[0].command
    assert [plan.name for plan in tcp] == ["coordinator", "scheduler", "local", "integrations"]
    assert all(plan.command[-2:] == ("--lifeline-fd", "7") for plan in tcp)


def test_a_fleet_of_one_command_awaits_its_own_workers_alone_and_one_that_starts_again_awaits_all() -> None:
    passing = services(embedded_plan("/data", 2, (), 0), "/run/cf", 7)[0]
    lasting = services(FleetPlan("/data", plan_workers(2, (), 0, 2.0)), "/run/cf", 7)[0]
    assert (passing.at_first, lasting.at_first) == (("--awaits", "local-1", "--awaits", "local-2"), ())
    assert passing.command == lasting.command


def test_words_of_the_first_start_are_given_once(tmp_path: Path) -> None:
    command = (sys.executable, "-S", "-E", "-c", "import sys; print(sys.argv[1:], flush=True)", "always")
    process = ServiceProcess(ServicePlan("one", command, at_first=("once",)), str(tmp_path))
    said = []
    for _ in range(2):
        process.start({})
        _, status = os.waitpid(process.pid, 0)
        said += process.read_lines() or []
        os.close(process.output)
        process.died(status)
    assert said == [b"['always', 'once']", b"['always']"]


def test_http_is_served_by_tls_as_grpc_is() -> None:
    plan = FleetPlan("/data", (), http="0.0.0.0:1", tls_certificate="/c", tls_key="/k", gateway=True)
    coordinator, _, gateway = services(plan, "/run/cf", 7)
    wanted = ("--tls-certificate", "/c", "--tls-key", "/k")
    assert all(" ".join(wanted) in " ".join(each.command) for each in (coordinator, gateway))


def test_this_process_may_use_some_core() -> None:
    assert 0 < usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("option", ["--workers", "--slots"])
def test_no_workers_and_no_slots_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([option, "0", "--", "pytest"])
    assert "give a whole number from 1" in capsys.readouterr().err
