"""GPUs of AMD, read from trees as amdgpu and amdkfd show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfleet.worker.detectors.amd import AmdDetector
from services.worker.tests.detectors.trees import PCI, build, card

ACCELERATOR = f"{PCI}/0000:00:01.1/0000:01:00.0/0000:02:00.0/0000:03:00.0"
DESKTOP = f"{PCI}/0000:00:03.1/0000:2b:00.0/0000:2c:00.0/0000:2d:00.0"
CPU_NODE = (
    "cpu_cores_count 96\nsimd_count 0\nmem_banks_count 1\ngfx_target_version 0\nvendor_id 0\ndrm_render_minor 0\n"
)
GPU_NODE = (
    "cpu_cores_count 0\nsimd_count {simd}\nmem_banks_count 1\ncaches_count 498\nmax_waves_per_simd 8\nlds_size_in_kb 64\n"
    "wave_front_size 64\narray_count 32\nsimd_arrays_per_engine 1\ncu_per_simd_array 10\nsimd_per_cu {per_cu}\n"
    "gfx_target_version {target}\nvendor_id 4098\ndevice_id {device}\nlocation_id {location}\ndomain 0\n"
    "drm_render_minor {minor}\nhive_id 0\nmax_engine_clk_fcompute {clock}\nnum_xcc 1\nmax_engine_clk_ccompute 3700\n"
)
KFD = "sys/class/kfd/kfd/topology/nodes"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An accelerator with an id of its own (an MI300X), and a card for desktops without one, next to two nodes."""
    monkeypatch.delenv("ROCR_VISIBLE_DEVICES", raising=False)
    return build(
        tmp_path,
        {
            "sys/module/amdgpu/version": "6.8.5\n",
            "opt/rocm/.info/version": "6.2.0-66\n",
            "usr/share/misc/pci.ids": "1002  Advanced Micro Devices, Inc. [AMD/ATI]\n"
            "\t744c  Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M]\n\t\t1002 0e3b  Radeon RX 7900 GRE\n",
            "sys/devices/system/node/node0/cpulist": "0-47\n",
            "sys/devices/system/node/node1/cpulist": "48-95\n",
            f"{ACCELERATOR}/vendor": "0x1002\n",
            f"{ACCELERATOR}/device": "0x74a1\n",
            f"{ACCELERATOR}/product_name": "AMD Instinct MI300X OAM\n",
            f"{ACCELERATOR}/unique_id": "e4f1c2a09b7d3365\n",
            f"{ACCELERATOR}/serial_number": "692432000123\n",
            f"{ACCELERATOR}/mem_info_vram_total": "206141652992\n",
            f"{ACCELERATOR}/vbios_version": "113-M3000100-102\n",
            f"{ACCELERATOR}/current_compute_partition": "SPX\n",
            f"{ACCELERATOR}/numa_node": "1\n",
            f"{ACCELERATOR}/drm/renderD129/dev": "226:129\n",
            f"{ACCELERATOR}/hwmon/hwmon4/temp2_label": "junction\n",
            f"{ACCELERATOR}/hwmon/hwmon4/temp2_input": "41000\n",
            f"{ACCELERATOR}/hwmon/hwmon4/temp2_crit": "100000\n",
            f"{DESKTOP}/vendor": "0x1002\n",
            f"{DESKTOP}/device": "0x744c\n",
            f"{DESKTOP}/product_name": "\n",
            f"{DESKTOP}/mem_info_vram_total": "25753026560\n",
            f"{DESKTOP}/vbios_version": "113-D70401XT-P11\n",
            f"{DESKTOP}/numa_node": "-1\n",
            f"{DESKTOP}/drm/renderD128/dev": "226:128\n",
            f"{DESKTOP}/hwmon/hwmon3/temp1_input": "55000\n",
            f"{DESKTOP}/hwmon/hwmon3/temp1_crit": "100000\n",
            f"{DESKTOP}/hwmon/hwmon3/temp2_input": "110000\n",
            f"{DESKTOP}/hwmon/hwmon3/temp2_crit": "110000\n",
            "dev/dri/renderD128": "",
            "dev/dri/renderD129": "",
            "sys/class/drm/version": "drm 1.1.0 20060810\n",
            f"{KFD}/0/properties": CPU_NODE,
            f"{KFD}/1/properties": GPU_NODE.format(
                simd=1216, per_cu=4, target=90402, device=29857, location=768, minor=129, clock=2100
            ),
            f"{KFD}/2/properties": GPU_NODE.format(
                simd=192, per_cu=2, target=110000, device=29772, location=11520, minor=128, clock=2482
            ),
        },
        {
            **card(0, DESKTOP, "amdgpu"),
            **card(1, ACCELERATOR, "amdgpu"),
            "sys/class/drm/card0-DP-1": f"{DESKTOP}/drm/card0/card0-DP-1",
        },
    )


def test_an_accelerator_is_told_with_all_that_selectors_ask_for(host: Path) -> None:
    detector = AmdDetector(host)
    assert detector.present()
    found = {one["attributes"]["pci"]: one for one in detector.detect()}
    assert found["0000:03:00.0"] == {
        "device_id": "GPU-e4f1c2a09b7d3365",
        "device_class": "gpu",
        "attributes": {
            "vendor": "amd",
            "model": "AMD Instinct MI300X OAM",
            "memory": 206141652992,
            "driver": {"version": "6.8.5"},
            "rocm": {"version": "6.2.0-66"},
            "architecture": "gfx942",
            "compute_units": 304,
            "frequency": 2_100_000_000,
            "firmware": "113-M3000100-102",
            "partition": "spx",
            "serial": "692432000123",
            "uuid": "GPU-e4f1c2a09b7d3365",
            "index": 0,
            "pci": "0000:03:00.0",
            "numa_node": 1,
        },
        "capacities": {"memory": 206141652992},
        "conditions": [],
    }


def test_a_card_without_an_id_is_known_by_its_address_and_has_the_name_of_the_list_and_its_heat(host: Path) -> None:
    desktop = next(one for one in AmdDetector(host).detect() if one["attributes"]["pci"] == "0000:2d:00.0")
    attributes = desktop["attributes"]
    assert desktop["device_id"] == "gpu-0000:2d:00.0"
    assert desktop["conditions"] == ["thermal_throttled"]
    assert attributes["model"] == "Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M]"
    assert (attributes["architecture"], attributes["compute_units"], attributes["index"]) == ("gfx1100", 96, 1)
    assert not {"uuid", "serial", "numa_node", "partition"} & attributes.keys()


@pytest.mark.parametrize(("chosen", "shown"), [("1", ["gpu-0000:2d:00.0"]), ("GPU-e4f1", ["GPU-e4f1c2a09b7d3365"])])
def test_a_worker_to_which_some_gpus_were_given_offers_no_others(
    host: Path, monkeypatch: pytest.MonkeyPatch, chosen: str, shown: list[str]
) -> None:
    monkeypatch.setenv("ROCR_VISIBLE_DEVICES", chosen)
    assert [one["device_id"] for one in AmdDetector(host).detect()] == shown


def test_a_driver_that_is_part_of_the_kernel_has_its_version_and_a_card_that_says_little_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ROCR_VISIBLE_DEVICES", raising=False)
    files = {
        "sys/module/amdgpu/refcnt": "1\n",
        "proc/sys/kernel/osrelease": "6.12.41+deb13-amd64\n",
        f"{DESKTOP}/vendor": "0x1002\n",
        f"{DESKTOP}/device": "0x15bf\n",
        f"{DESKTOP}/drm/renderD128/dev": "226:128\n",
        "dev/dri/renderD128": "",
    }
    (only,) = AmdDetector(build(tmp_path, files, card(0, DESKTOP, "amdgpu"))).detect()
    assert only["attributes"] == {
        "vendor": "amd",
        "model": "1002:15bf",
        "driver": {"version": "6.12.41+deb13-amd64"},
        "pci": "0000:2d:00.0",
    }
    assert only["capacities"] == {}


def test_a_container_has_the_gpus_that_were_given_to_it_and_one_that_may_not_be_opened_is_of_no_use(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (host / "dev/dri/renderD128").unlink()
    assert [one["device_id"] for one in AmdDetector(host).detect()] == ["GPU-e4f1c2a09b7d3365"]
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert [one["conditions"] for one in AmdDetector(host).detect()] == [["unhealthy", "no_access"]]
