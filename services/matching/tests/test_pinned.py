"""Which pool a selector demands."""

import pytest

from crossfleet.matching.cel import compile_selector
from crossfleet.matching.pinned import pinned_label


@pytest.mark.parametrize(
    "text",
    [
        'worker.labels.pool == "gpu"',
        '"gpu" == worker.labels.pool',
        'worker.labels["pool"] == "gpu"',
        'worker.cpu_cores >= 4.0 && (worker.labels.pool == "gpu" && device.class == "gpu")',
    ],
)
def test_a_label_is_pinned_where_every_match_has_it(text):
    assert pinned_label(compile_selector(text), "pool") == "gpu"


@pytest.mark.parametrize(
    "text",
    [
        "",
        'worker.labels.pool != "gpu"',
        'worker.labels.pool == "gpu" || worker.cpu_cores > 64.0',
        '!(worker.labels.pool == "gpu")',
        'worker.labels.zone == "gpu"',
        'worker.labels.pool in ["gpu", "big"]',
        'device.pool == "gpu"',
        "worker.labels.pool == worker.labels.zone",
    ],
)
def test_a_label_is_not_pinned_where_a_match_may_lack_it(text):
    assert pinned_label(compile_selector(text), "pool") == ""
