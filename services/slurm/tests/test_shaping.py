"""Which pilots would serve a request."""

from crossfleet.matching.model import Device, DeviceRequest, Request, WorkerView
from crossfleet.slurm.core.pool import Pool, Shape
from crossfleet.slurm.core.shaping import Suitability, cpus, shape_of

CPU = Pool("cpu", labels={"zone": "eu"})
GPU = Pool("gpu", slots=2, gres={"gpu": "gpu:a100"}, devices={"gpu": 1}, taints=("gpu",))


def pools_for(request, *pools):
    return [shape.pool for shape in Suitability(pools or (CPU, GPU)).shapes(request)]


def seen(pool, **attributes):
    return WorkerView(
        "x-1",
        labels={"pool": pool},
        devices=(Device("cpu-0", "cpu"), Device("g", "gpu", attributes)),
        runners=frozenset({"pytest"}),
    )


def test_what_a_slot_asks_for_is_what_its_pilot_gets_and_else_what_the_pool_says():
    pool = Pool("p", cpu_cores=2.0, memory_bytes=7, gres={"gpu": "gpu"})
    assert shape_of(Request(), pool) == Shape("p", 2.0, 7)
    request = Request(cpu_cores=0.5, memory_bytes=9, devices=(DeviceRequest("gpu", count=2),), exclusive=True)
    assert shape_of(request, pool) == Shape("p", 0.5, 9, (("gpu", 2),), True)


def test_a_pilot_has_whole_processors():
    assert [cpus(Shape("p", cores), slots) for cores, slots in ((0.1, 1), (0.5, 3), (1.0, 4), (0.1, 10))] == [
        1,
        2,
        4,
        1,
    ]


def test_a_pool_without_devices_gets_no_request_for_them():
    assert pools_for(Request(devices=(DeviceRequest("gpu"),), tolerations=frozenset({"gpu"}))) == ["gpu"]
    assert pools_for(Request(devices=(DeviceRequest("npu"),))) == []


def test_labels_and_taints_of_the_settings_decide_before_any_worker_was_seen():
    assert pools_for(Request(selector='worker.labels.zone == "eu"')) == ["cpu"]
    assert pools_for(Request(selector='worker.labels.zone == "us"')) == []
    assert pools_for(Request()) == ["cpu"]
    assert pools_for(Request(tolerations=frozenset({"gpu"}))) == ["cpu", "gpu"]


def test_an_attribute_that_nobody_has_seen_is_tried_and_then_known():
    big = Request('device.class == "gpu" && device.memory >= quantity("40Gi")', tolerations=frozenset({"gpu"}))
    known = Suitability((CPU, GPU))
    assert [shape.pool for shape in known.shapes(big)] == ["gpu"]
    known.learn(seen("gpu", memory=16 * 2**30), Shape("gpu", devices=(("gpu", 1),)))
    assert known.shapes(big) == ()
    known.learn(seen("gpu", memory=80 * 2**30), Shape("gpu", devices=(("gpu", 1),)))
    assert [shape.pool for shape in known.shapes(big)] == ["gpu"]


def test_a_worker_without_gpus_says_nothing_of_pilots_that_ask_for_some_unless_it_should_have_had_some():
    known = Suitability((Pool("mixed", gres={"gpu": "gpu"}),))
    worker = WorkerView("x-1", labels={"pool": "mixed"}, devices=(Device("cpu-0", "cpu"),))
    known.learn(worker, Shape("mixed"))
    assert known.shapes(Request(devices=(DeviceRequest("gpu"),)))
    known.learn(worker, Shape("mixed", devices=(("gpu", 1),)))
    assert known.shapes(Request(devices=(DeviceRequest("gpu"),))) == ()


def test_a_runner_that_the_workers_of_a_pool_lack_is_not_asked_of_it_again():
    known = Suitability((CPU,))
    assert known.shapes(Request(runner="pytest"))
    known.learn(
        WorkerView("x-1", labels={"pool": "cpu"}, devices=(Device("c", "cpu"),), runners=frozenset({"go"})),
        Shape("cpu"),
    )
    assert known.shapes(Request(runner="pytest")) == ()


def test_gangs_and_more_slots_than_a_pilot_has_are_left_to_others():
    assert pools_for(Request(gang=2)) == []
    assert pools_for(Request(slots_min=5)) == []
    assert pools_for(Request(slots_min=4)) == ["cpu"]


def test_a_selector_that_cannot_be_read_suits_nothing():
    assert pools_for(Request(selector="device.")) == []
