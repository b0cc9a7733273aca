"""GPUs of Intel, read from trees as i915 and xe show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfleet.worker.detectors.intel import IntelDetector
from services.worker.tests.detectors.trees import PCI, build, card

INTEGRATED = f"{PCI}/0000:00:02.0"
ARC = f"{PCI}/0000:00:01.0/0000:03:00.0"
MATROX = f"{PCI}/0000:00:1c.5/0000:07:00.0"
NAMES = (
    "1002  Advanced Micro Devices, Inc. [AMD/ATI]\n\t56a0  something else\n"
    "8086  Intel Corporation\n\t46a6  Alder Lake-P GT2 [Iris Xe Graphics]\n\t56a0  DG2 [Arc A770]\n\te20b  Battlemage G21 [Arc B580]\n"
    "8088  Beijing Wangxun Technology Co., Ltd.\n"
)


@pytest.fixture(autouse=True)
def nothing_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZE_AFFINITY_MASK", raising=False)


def test_graphics_of_the_processor_come_after_a_card_of_its_own_and_cards_of_others_not_at_all(tmp_path: Path) -> None:
    files = {
        "sys/module/i915/refcnt": "12\n",
        "sys/module/xe/refcnt": "3\n",
        "proc/sys/kernel/osrelease": "6.14.0-29-generic\n",
        "usr/share/hwdata/pci.ids": NAMES,
        "sys/devices/system/node/node0/cpulist": "0-15\n",
        f"{INTEGRATED}/vendor": "0x8086\n",
        f"{INTEGRATED}/device": "0x46a6\n",
        f"{INTEGRATED}/numa_node": "-1\n",
        f"{INTEGRATED}/drm/card0/gt_RP0_freq_mhz": "1400\n",
        f"{INTEGRATED}/drm/card0/gt/gt0/rps_RP0_freq_mhz": "1400\n",
        f"{INTEGRATED}/drm/card0/gt/gt0/throttle_reason_status": "0\n",
        f"{INTEGRATED}/drm/card0/gt/gt0/throttle_reason_thermal": "0\n",
        f"{INTEGRATED}/drm/card0/gt/gt0/throttle_reason_prochot": "0\n",
        f"{ARC}/vendor": "0x8086\n",
        f"{ARC}/device": "0xe20b\n",
        f"{ARC}/numa_node": "-1\n",
        f"{ARC}/tile0/physical_vram_size_bytes": "12884901888\n",
        f"{ARC}/tile0/gt0/freq0/rp0_freq": "2850\n",
        f"{ARC}/tile0/gt1/freq0/rp0_freq": "1500\n",
        f"{ARC}/tile0/gt0/freq0/throttle/status": "1\n",
        f"{ARC}/tile0/gt0/freq0/throttle/reason_thermal": "1\n",
        f"{MATROX}/vendor": "0x102b\n",
        f"{INTEGRATED}/drm/renderD128/dev": "226:128\n",
        f"{ARC}/drm/renderD129/dev": "226:129\n",
        "dev/dri/renderD128": "",
        "dev/dri/renderD129": "",
    }
    links = card(0, INTEGRATED, "i915") | card(1, MATROX, "mgag200") | card(2, ARC, "xe")
    detector = IntelDetector(build(tmp_path, files, links))
    assert detector.present()
    own, integrated = detector.detect()
    assert own == {
        "device_id": "gpu-0000:03:00.0",
        "device_class": "gpu",
        "attributes": {
            "vendor": "intel",
            "model": "Battlemage G21 [Arc B580]",
            "memory": 12884901888,
            "driver": {"version": "6.14.0-29-generic"},
            "driver_name": "xe",
            "frequency": 2_850_000_000,
            "integrated": False,
            "index": 0,
            "pci": "0000:03:00.0",
            "numa_node": 0,
        },
        "capacities": {"memory": 12884901888},
        "conditions": ["thermal_throttled"],
    }
    assert integrated["device_id"] == "gpu-0000:00:02.0"
    assert integrated["attributes"]["integrated"]
    assert integrated["attributes"]["frequency"] == 1_400_000_000
    assert "memory" not in integrated["attributes"]
    assert (integrated["attributes"]["index"], integrated["conditions"], integrated["capacities"]) == (1, [], {})


def test_memory_of_a_card_is_that_of_all_its_tiles_or_what_intels_own_driver_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two, other = f"{PCI}/0000:00:05.0/0000:4d:00.0", f"{PCI}/0000:00:06.0/0000:9a:00.0"
    files = {
        f"{two}/vendor": "0x8086\n",
        f"{two}/device": "0x0bd5\n",
        f"{two}/tile0/physical_vram_size_bytes": "68719476736\n",
        f"{two}/tile1/physical_vram_size_bytes": "68719476736\n",
        f"{other}/vendor": "0x8086\n",
        f"{other}/device": "0x56c0\n",
        f"{other}/drm/card1/lmem_total_bytes": "14260633600\n",
        f"{two}/drm/renderD128/dev": "226:128\n",
        f"{other}/drm/renderD129/dev": "226:129\n",
        "dev/dri/renderD128": "",
        "dev/dri/renderD129": "",
    }
    root = build(tmp_path, files, card(0, two, "xe") | card(1, other, "i915"))
    found = [(one["attributes"]["model"], one["capacities"]["memory"]) for one in IntelDetector(root).detect()]
    assert found == [("8086:0bd5", 2 * 68719476736), ("8086:56c0", 14260633600)]
    monkeypatch.setenv("ZE_AFFINITY_MASK", "1.0")
    assert [one["device_id"] for one in IntelDetector(root).detect()] == ["gpu-0000:9a:00.0"]


def test_a_card_that_was_handed_to_a_virtual_machine_is_not_this_hosts(tmp_path: Path) -> None:
    files = {f"{ARC}/vendor": "0x8086\n", f"{ARC}/device": "0x56a0\n", f"{ARC}/drm/renderD128/dev": "226:128\n"}
    files["dev/dri/renderD128"] = ""
    root = build(tmp_path, files, card(0, ARC, "vfio-pci"))
    assert IntelDetector(root).detect() == []
