"""Schedulers as an operator names them."""

import pytest

from crossfleet.coordinator.core.deciders import Decider
from crossfleet.coordinator.scheduling.roster import External, roster
from crossfleet.foundation.errors import ConfigurationInvalid

FALLBACK = "unix:/s"


def test_a_name_and_an_address_are_enough():
    assert roster(["new=localhost:7401"], FALLBACK) == (External(Decider("new"), "localhost:7401"),)
    assert roster([], "") == ()


def test_options_follow_in_any_order_and_may_be_quoted():
    (one,) = roster(
        ["gpu=unix:/g deadline=2 pools=gpu+big canary=12.5% token-file='/a b/t' authority=ca.pem"], FALLBACK
    )
    assert one == External(Decider("gpu", frozenset({"gpu", "big"}), 12.5), "unix:/g", 2.0, "/a b/t", "ca.pem")


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["localhost:7401"], "NAME=ADDRESS"),
        (["default=localhost:7401"], "other than 'default'"),
        (["new=nonsense"], "neither unix:/PATH nor HOST:PORT"),
        (["new=localhost:1 canari=5"], "did you mean canary=VALUE?"),
        (["new=localhost:1 canary=500"], "0 to 100 percent"),
        (["new=localhost:1 canary=nan"], "0 to 100 percent"),
        (["new=localhost:1 deadline=0"], "0.05 to 60 seconds"),
        (["new=localhost:1 speed"], "one of pools, canary"),
        (["new=localhost:1 token-file='"], "NAME=ADDRESS and options"),
        (["new=localhost:1", "new=localhost:2"], "another name"),
    ],
)
def test_a_wrong_one_is_refused_with_what_is_right(texts, told):
    with pytest.raises(ConfigurationInvalid) as error:
        roster(texts, FALLBACK)
    assert error.value.fields[0].path == "schedulers"
    assert told in error.value.fields[0].description


def test_somebody_has_to_stand_in():
    with pytest.raises(ConfigurationInvalid, match="stand in"):
        roster(["new=localhost:7401"], "")
