"""What of a request is offered when: alternatives in their order, hosts of others, what failed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.matching.authoring import settle
from crossfleet.matching.fit import eligible
from crossfleet.matching.misfit import Misfit
from crossfleet.matching.model import Device, DeviceRequest, Preference, Request, WorkerView
from crossfleet.matching.preferences import score
from crossfleet.matching.request import RequestError
from crossfleet.matching.selectors import Selectors
from crossfleet.matching.template import Alternative, Past, Template, offer, opened, satisfied

SELECTORS = Selectors()
H100, A100 = 'device.model == "H100"', 'device.model == "A100"'


def worker(name, *models, host="", **more):
    devices = tuple(Device(f"{name}-{number}", "gpu", {"model": model}) for number, model in enumerate(models))
    return WorkerView(name, devices=devices, host=host or name, slots_total=4, **more)


FLEET = {one.name: one for one in (worker("h", "H100"), worker("a", "A100"), worker("v", "V100"), worker("c"))}


def able(request):
    return {name for name, one in FLEET.items() if not isinstance(eligible(request, one, SELECTORS), Misfit)}


def settled(*alternatives, request=None, **more):
    request = request or Request()
    template = Template(devices=request.devices, alternatives=alternatives, **more)
    return settle(template, request, {}, SELECTORS)


def test_alternatives_come_in_one_beside_the_other_and_an_earlier_one_is_preferred():
    template = settled(Alternative(H100, 60.0), Alternative(A100, 60.0), Alternative("device.class == 'gpu'"))
    seen = []
    for count in (1, 2, 3):
        request = offer(template, Request(), opened(template, count), Past())
        seen.append(able(request))
    assert seen == [{"h"}, {"h", "a"}, {"h", "a", "v"}]
    liked = sorted(FLEET, key=lambda name: -score(request, FLEET[name], SELECTORS))
    assert liked[:3] == ["h", "a", "v"]


def test_alternatives_that_follow_without_a_wait_are_open_from_the_beginning():
    waits = ((60.0, 0.0, 0.0), (0.0, 60.0, 0.0), (0.0, 0.0, 0.0))
    templates = [Template(alternatives=tuple(Alternative(wait=wait) for wait in some)) for some in waits]
    assert [template.open_first for template in [*templates, Template()]] == [1, 2, 3, 1]


def test_an_earlier_alternative_goes_before_all_other_wishes_together():
    wish = Preference('worker.name == "a"', 1_000)
    template = settled(Alternative(H100), Alternative(A100), preferred=(wish,) * 16)
    request = offer(template, Request(), (0, 1), Past())
    assert score(request, FLEET["h"], SELECTORS) > score(request, FLEET["a"], SELECTORS) > 0


@pytest.mark.parametrize(
    ("request_", "alternatives"),
    [
        (Request(gang=2), (Alternative(H100, 1.0), Alternative(A100))),
        (Request(slots_min=2), (Alternative(H100, 1.0), Alternative(A100))),
        (Request(devices=(DeviceRequest("gpu", count=2),)), (Alternative(H100, 1.0), Alternative(A100))),
        (Request(), (Alternative(wait=1.0, devices=(DeviceRequest("gpu", H100),)), Alternative(A100))),
        (Request(), (Alternative(H100, 1.0), Alternative(""))),
    ],
)
def test_what_one_request_cannot_ask_for_together_takes_the_place_of_what_came_before(request_, alternatives):
    template = settled(*alternatives, request=request_)
    assert [opened(template, count) for count in (1, 2)] == [(0,), (1,)]


def test_devices_of_an_alternative_take_the_place_of_those_of_the_request():
    template = settled(
        Alternative(H100, 1.0), Alternative(devices=(DeviceRequest("gpu", A100, 2),)), request=Request(cpu_cores=1.0)
    )
    assert offer(template, Request(), (1,), Past()).devices == (DeviceRequest("gpu", A100, 2),)


def test_the_targets_own_selector_holds_for_every_alternative_also_with_comments():
    template = settled(Alternative(f"{H100} // the best"), Alternative(A100), selector="worker.name != 'h' // not that")
    assert able(offer(template, Request(), (0, 1), Past())) == {"a"}


def test_what_is_put_together_keeps_what_each_part_means():
    template = settled(
        Alternative("worker.name == 'v' || " + H100),
        Alternative(A100),
        selector="worker.name == 'h' || worker.name == 'a'",
    )
    request = offer(replace(template, near=("db",)), Request(), (0, 1), Past(hosts={"db": ["h", "a", "v"]}))
    assert able(request) == {"h", "a"}
    assert able(offer(template, Request(), (0,), Past())) == {"h"}


def test_near_and_apart_go_by_hosts_and_near_to_what_never_was_is_anywhere():
    template = Template(near=("db",), apart=("noise",))
    past = Past(hosts={"db": ["h", "a"], "noise": ["v", "a"]}, held={"noise": ["a"]})
    assert able(offer(template, Request(), (), past)) == {"h"}
    assert able(offer(template, Request(), (), Past())) == set(FLEET)


def test_history_and_hosts_of_others_are_known_when_a_request_is_offered():
    template = settle(
        Template('!(worker.host in history.failed_hosts) && worker.host in run.hosts["db"]'), Request(), {}, SELECTORS
    )
    past = Past(hosts={"db": ["h", "a"]}, failed_hosts=["a"])
    assert able(offer(template, Request(), (), past)) == {"h"}


def test_devices_of_the_models_that_failed_can_be_left_aside():
    template = settle(Template("!(device.model in history.failed_models)"), Request(), {}, SELECTORS)
    assert able(offer(template, Request(), (), Past(failed_models=["H100", "V100"]))) == {"a"}


def test_cheap_workers_may_be_waited_for_though_not_for_ever():
    template = settled(Alternative("double(worker.labels.cost_per_hour) < 1.0", 600.0), Alternative(""))
    cheap, dear = (worker("w", labels={"cost_per_hour": each}) for each in ("0.5", "2"))
    offers = [offer(template, Request(), opened(template, count), Past()) for count in (1, 2)]
    fits = [[not isinstance(eligible(one, each, SELECTORS), Misfit) for each in (cheap, dear)] for one in offers]
    assert fits == [[True, False], [True, True]]


def test_what_is_known_at_submission_is_put_in_for_good():
    template = settle(Template("worker.name == run.target"), Request(), {"run.target": "v"}, SELECTORS)
    assert not template.needed
    assert able(offer(template, Request(), (), Past())) == {"v"}


@pytest.mark.parametrize(
    ("alternatives", "field"),
    [
        ((Alternative(H100, 5.0),), "alternatives[0].wait"),
        ((Alternative(H100, -1.0), Alternative(A100)), "alternatives[0].wait"),
        ((Alternative(""), Alternative(A100)), "alternatives[0].selector"),
        ((Alternative(H100), Alternative(H100)), "alternatives[1]"),
        ((Alternative(H100), Alternative("")), "alternatives[0].wait"),
        ((Alternative(H100), Alternative("device.modl == 1")), "alternatives[1].selector"),
        ((Alternative(H100), Alternative(devices=(DeviceRequest(count=99),))), "alternatives[1].devices[0].count"),
        (tuple(Alternative(f"worker.slots > {number}") for number in range(9)), "alternatives"),
    ],
)
def test_a_wrong_alternative_is_refused_by_its_path(alternatives, field):
    with pytest.raises(RequestError) as error:
        settled(*alternatives)
    assert error.value.field == field


def test_what_a_person_writes_is_shorter_than_what_may_be_put_together_out_of_it():
    with pytest.raises(RequestError, match="at most 4096"):
        settle(Template("worker.slots > 1 || " * 300 + "true"), Request(), {}, SELECTORS)
    hosts = [f"host-{number}" for number in range(500)]
    request = offer(Template(near=("db",)), Request(), (), Past(hosts={"db": [*hosts, "h"]}))
    assert able(request) == {"h"}


def test_an_error_points_into_the_text_as_it_was_written():
    with pytest.raises(RequestError, match="line 1, column 50"):
        settle(
            Template('run.project == "a" && worker.slots > 1 && worker.slts > 1'),
            Request(),
            {"run.project": "x" * 99},
            SELECTORS,
        )


models = st.lists(st.sampled_from(["H100", "A100", "V100"]), max_size=3)
choices = st.lists(
    st.sampled_from([H100, A100, 'device.model == "V100"', "worker.slots > 2", 'worker.name == "w"']),
    min_size=2,
    max_size=4,
    unique=True,
)


@given(models, choices, st.integers(1, 5), st.sampled_from([(), (DeviceRequest("gpu"),)]))
def test_whoever_satisfies_an_offer_satisfies_an_open_alternative_and_the_other_way_round(has, texts, count, devices):
    request = Request(devices=devices)
    waits = [1.0] * (len(texts) - 1) + [0.0]
    template = settled(*map(Alternative, texts, waits), request=request)
    view = worker("w", *has)
    open_now = opened(template, count)
    whole = offer(template, request, open_now, Past())
    found = eligible(whole, view, SELECTORS)
    each = [offer(template, request, (index,), Past()) for index in open_now]
    alone = [not isinstance(eligible(one, view, SELECTORS), Misfit) for one in each]
    assert (not isinstance(found, Misfit)) == any(alone)
    if not isinstance(found, Misfit):
        granted = [ids[0] for ids in found.candidates]
        assert any(satisfied(one, view, granted, SELECTORS) for one in each)
