"""Why a request fits no worker, clause by clause."""

from crossfleet.matching.explain import explain, explain_clauses
from crossfleet.matching.misfit import Code, Wait
from crossfleet.matching.model import Device, DeviceRequest, Request, WorkerState, WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.matching.version import Version

SELECTORS = Selectors()
SMALL = WorkerView(
    "small",
    devices=(Device("gpu-0", "gpu", {"driver": Version("450.1")}, {"memory": 8 * 2**30}), Device("cpu-0", "cpu")),
)
LARGE = WorkerView("large", labels={"zone": "eu"}, devices=(Device("gpu-0", "gpu", {}, {"memory": 24 * 2**30}),))
FLEET = (SMALL, LARGE)


def test_the_clause_that_fails_everywhere_is_named_with_the_nearest_miss():
    told = explain(Request('device.class == "gpu" && device.memory >= quantity("32Gi")'), FLEET, SELECTORS)
    assert (told.wait, told.code) == (Wait.NEVER, Code.SELECTOR)
    assert 'device.memory >= quantity("32Gi") holds on 0 of 3 devices' in told.text
    assert "nearest: gpu-0 of large: device.memory is 24Gi" in told.text
    assert [(clause.passed, clause.total) for clause in told.clauses] == [(2, 3), (0, 3)]


def test_a_missing_attribute_is_named():
    told = explain(Request('device.driver >= version("500")'), FLEET, SELECTORS)
    assert "(missing: driver)" in told.text
    assert "device.driver is 450.1" in told.text


def test_who_compares_a_number_or_a_version_with_a_text_is_told_what_to_write():
    told = explain(Request('device.memory >= "4Gi"'), FLEET, SELECTORS)
    assert 'gpu-0 of large: device.memory is 24Gi, a number: compare it with quantity("4Gi")' in told.text
    told = explain(Request('"400" <= device.driver'), (SMALL,), SELECTORS)
    assert 'gpu-0 of small: device.driver is 450.1, a version: compare it with version("400")' in told.text


def test_every_clause_is_counted_with_its_nearest_miss_also_where_some_satisfy_them_all():
    request = Request('device.class == "gpu" && device.memory >= quantity("16Gi")')
    told = explain_clauses(request, FLEET, SELECTORS)
    assert [(clause.passed, clause.total) for clause in told.clauses] == [(2, 3), (1, 3)]
    assert told.clauses[0].nearest == 'cpu-0 of small: device.class is "cpu"'
    assert told.clauses[1].nearest == "gpu-0 of small: device.memory is 8Gi"
    assert told.misses == ()
    assert explain_clauses(Request(), FLEET, SELECTORS).clauses == ()


def test_clauses_that_hold_alone_but_never_together_are_all_named():
    told = explain(Request('device.memory < quantity("16Gi") && worker.labels.zone == "eu"'), FLEET, SELECTORS)
    assert told.wait is Wait.NEVER
    assert [clause.passed for clause in told.clauses] == [1, 1]
    assert "never all together" in told.text


def test_too_few_devices_are_told_in_numbers():
    told = explain(Request(devices=(DeviceRequest("gpu", count=2),)), FLEET, SELECTORS)
    assert (told.wait, told.code) == (Wait.NEVER, Code.DEVICES)
    assert "1 of 2 devices" in told.text


def test_a_class_that_is_misspelt_is_told_with_the_one_that_was_probably_meant():
    slip = "; no device is of class 'gppu': did you mean 'gpu'?"
    for request in (Request(devices=(DeviceRequest("gppu"),)), Request('device.class == "gppu"')):
        assert explain(request, FLEET, SELECTORS).text.endswith(slip)
    for request in (Request(devices=(DeviceRequest("npu"),)), Request(devices=(DeviceRequest("gpu", count=2),))):
        assert "did you mean" not in explain(request, FLEET, SELECTORS).text


def test_the_refusal_that_got_furthest_is_told():
    told = explain(Request('worker.labels.zone == "eu"', cpu_cores=4), FLEET, SELECTORS)
    assert told.code is Code.CPU
    assert "large has 1" in told.text
    assert "1 fail on selector" in told.text


def test_more_slots_than_any_worker_has_is_never():
    assert explain(Request(slots_min=3), FLEET, SELECTORS).code is Code.SLOTS


def test_a_selector_that_does_not_compile_is_never_and_says_so():
    told = explain(Request("worker.nme"), FLEET, SELECTORS)
    assert (told.wait, told.code) == (Wait.NEVER, Code.INVALID_SELECTOR)
    assert "did you mean 'name'?" in told.text


def test_an_empty_fleet_may_still_fill():
    assert explain(Request(), (), SELECTORS).wait is Wait.LATER


def test_workers_that_would_do_but_take_no_work_are_a_reason_to_wait():
    told = explain(Request(), [WorkerView("w", state=WorkerState.DRAINING)], SELECTORS)
    assert (told.wait, told.code) == (Wait.LATER, Code.STATE)
    assert "1 draining" in told.text


def test_a_request_that_fits_names_the_workers():
    told = explain(Request("has(worker.labels.zone)"), FLEET, SELECTORS)
    assert (told.wait, told.workers) == (Wait.LATER, ("large",))
