"""Accelerators that are no GPUs, read from trees as their drivers show them."""

from __future__ import annotations

from pathlib import Path

from crossfleet.worker.detectors.accelerators import AcceleratorDetector
from services.worker.tests.detectors.trees import PCI, build

NPU, RYZEN, GAUDI = f"{PCI}/0000:00:0b.0", f"{PCI}/0000:00:08.2/0000:c6:00.1", f"{PCI}/0000:00:1e.0/0000:33:00.0"
ROCKCHIP = "sys/devices/platform/fdab0000.npu"


def _accel(number: int, device: str, driver: str) -> dict[str, str]:
    return {
        f"sys/class/accel/accel{number}": f"{device}/accel/accel{number}",
        f"{device}/accel/accel{number}/device": device,
        f"{device}/driver": f"sys/bus/pci/drivers/{driver}",
    }


def test_each_maker_tells_what_it_tells(tmp_path: Path) -> None:
    files = {
        "proc/sys/kernel/osrelease": "6.15.9-arch1-1\n",
        "usr/share/hwdata/pci.ids": "8086  Intel Corporation\n\t7d1d  Meteor Lake NPU\n",
        "sys/devices/system/node/node0/cpulist": "0-21\n",
        f"{NPU}/vendor": "0x8086\n",
        f"{NPU}/device": "0x7d1d\n",
        f"{NPU}/numa_node": "-1\n",
        f"{NPU}/npu_busy_time_us": "0\n",
        f"{NPU}/npu_max_frequency_mhz": "1400\n",
        f"{RYZEN}/vendor": "0x1022\n",
        f"{RYZEN}/device": "0x17f0\n",
        f"{RYZEN}/vbnv": "RyzenAI-npu4\n",
        f"{RYZEN}/device_type": "0\n",
        f"{RYZEN}/fw_version": "1.0.0.166\n",
        f"{GAUDI}/vendor": "0x1da3\n",
        f"{GAUDI}/device": "0x1020\n",
        f"{GAUDI}/numa_node": "0\n",
        f"{GAUDI}/accel/accel2/device_type": "GAUDI2\n",
        f"{GAUDI}/accel/accel2/fw_os_ver": "1.16.2-fw-50.1.2.0\n",
        f"{GAUDI}/accel/accel2/status": "in reset\n",
        **{f"dev/accel/accel{number}": "" for number in range(3)},
        "sys/module/habanalabs/version": "1.16.2-fb9ce2a\n",
    }
    links = _accel(0, NPU, "intel_vpu") | _accel(1, RYZEN, "amdxdna") | _accel(2, GAUDI, "habanalabs")
    detector = AcceleratorDetector(build(tmp_path, files, links))
    assert detector.present()
    npu, ryzen, gaudi = detector.detect()
    assert npu == {
        "device_id": "npu-0000:00:0b.0",
        "device_class": "npu",
        "attributes": {
            "vendor": "intel",
            "model": "Meteor Lake NPU",
            "driver": {"version": "6.15.9-arch1-1"},
            "driver_name": "intel_vpu",
            "frequency": 1_400_000_000,
            "pci": "0000:00:0b.0",
            "numa_node": 0,
        },
        "capacities": {},
        "conditions": [],
    }
    assert ryzen["attributes"]["model"] == "RyzenAI-npu4"
    assert (ryzen["attributes"]["vendor"], ryzen["attributes"]["firmware"]) == ("amd", {"version": "1.0.0.166"})
    assert gaudi["attributes"]["model"] == "GAUDI2"
    assert gaudi["attributes"]["firmware"] == {"version": "1.16.2-fw-50.1.2.0"}
    assert gaudi["attributes"]["driver"] == {"version": "1.16.2-fb9ce2a"}
    assert gaudi["conditions"] == ["resetting"]


def test_one_of_no_pci_bus_is_known_by_its_place_too(tmp_path: Path) -> None:
    (only,) = AcceleratorDetector(build(tmp_path, {"dev/accel/accel0": ""}, _accel(0, ROCKCHIP, "rocket"))).detect()
    assert only["device_id"] == "npu-fdab0000.npu"
    assert only["attributes"] == {"vendor": "rocket", "model": "rocket", "driver_name": "rocket"}
