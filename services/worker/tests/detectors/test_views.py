"""Devices that several detectors see are listed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from crossfleet.worker.detectors.detector import Found
from crossfleet.worker.detectors.search import GROUP, Search
from crossfleet.worker.detectors.views import together
from crossfleet.worker.inventory import Inventory

HERE = "services.worker.tests.detectors.test_views"
CPU: Found = {"device_id": "cpu-0", "device_class": "cpu", "attributes": {"vendor": "amd"}}
NVIDIA: Found = {
    "device_id": "GPU-8e1c2f5a-0d2b-4c3e-9f10-112233445566",
    "device_class": "gpu",
    "attributes": {"vendor": "nvidia", "pci": "0000:01:00.0", "uuid": "GPU-8e1c2f5a-0d2b-4c3e-9f10-112233445566"},
}


def _view(interface: str, version: str, *, device_class: str = "gpu", **attributes: str) -> Found:
    name = f"{interface}_version"
    return {
        "device_id": f"gpu-{attributes.get('pci') or attributes.get('uuid')}",
        "device_class": device_class,
        "attributes": {**attributes, name: {"version": version}},
        "adds": [name],
    }


def _listed(
    found: Mapping[str, Sequence[Found]], asked: Sequence[str] = ()
) -> dict[str, tuple[str, dict[str, object]]]:
    return {one["device_id"]: (detector, dict(one["attributes"])) for detector, one in together(found, asked)}


def test_a_view_of_a_gpu_adds_to_it_what_its_interface_says_and_nothing_else() -> None:
    found = {
        "cpu": [CPU],
        "nvidia": [NVIDIA],
        "vulkan": [_view("vulkan", "1.3.280", vendor="nvidia", pci="0000:01:00.0", model="another name")],
        "opencl": [_view("opencl", "3.0", vendor="nvidia", uuid="8e1c2f5a0d2b4c3e9f10112233445566")],
    }
    assert _listed(found, ["nvidia", "vulkan", "opencl"]) == {
        "cpu-0": ("cpu", {"vendor": "amd"}),
        NVIDIA["device_id"]: (
            "nvidia",
            {**NVIDIA["attributes"], "vulkan_version": {"version": "1.3.280"}, "opencl_version": {"version": "3.0"}},
        ),
    }


def test_of_several_drivers_for_one_device_the_newest_interface_counts() -> None:
    versions = {"c": "1.4.9", "a": "1.4.10", "b": "1.3.290"}
    views = [_view("vulkan", version, device_class="cpu", uuid=uuid) for uuid, version in versions.items()]
    assert _listed({"cpu": [CPU], "vulkan": views})["cpu-0"][1]["vulkan_version"] == {"version": "1.4.10"}


def test_a_software_renderer_is_no_gpu() -> None:
    view = _view("vulkan", "1.4.0", device_class="cpu", vendor="mesa", uuid="6d657361")
    assert list(_listed({"cpu": [CPU], "vulkan": [view]})) == ["cpu-0"]


def test_a_gpu_that_only_interfaces_know_is_one_device() -> None:
    views = {
        "vulkan": [_view("vulkan", "1.1.177", vendor="arm", uuid="00a867a0")],
        "opencl": [_view("opencl", "2.1", vendor="arm", uuid="00a867a0")],
    }
    (only,) = _listed(views).items()
    assert only[0] == "gpu-00a867a0"
    assert {"vulkan_version", "opencl_version"} < only[1][1].keys()


def test_a_gpu_that_its_makers_detector_leaves_to_others_stays_left_out() -> None:
    views = {"nvidia": [], "vulkan": [_view("vulkan", "1.3.280", vendor="nvidia", pci="0000:41:00.0")]}
    assert _listed(views, ["nvidia", "vulkan"]) == {}


class Gpu:
    """Finds what a file names, each at its address."""

    def present(self) -> bool:
        return True

    def detect(self) -> Sequence[Found]:
        names = Path("gpus.txt").read_text().split()
        return [{"device_id": name, "device_class": "gpu", "attributes": {"pci": f"at-{name}"}} for name in names]


class Interface(Gpu):
    """Sees the same ones, and keeps count of how often it was asked."""

    def detect(self) -> Sequence[Found]:
        asked = Path("asked.txt")
        asked.write_text(asked.read_text() + "x" if asked.exists() else "x")
        return [_view("vulkan", "1.3.0", pci=f"at-{name}") for name in Path("gpus.txt").read_text().split()]


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inventory:
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    entries = [EntryPoint(name.lower(), f"{HERE}:{name}", GROUP) for name in ("Gpu", "Interface")]
    return Inventory(Search(10.0, lambda: entries, folder=str(tmp_path)))


async def test_an_interface_is_asked_again_only_when_there_are_other_devices(
    tmp_path: Path, inventory: Inventory
) -> None:
    async def looked(names: str) -> int:
        (tmp_path / "gpus.txt").write_text(names)
        await inventory.look()
        return len((tmp_path / "asked.txt").read_text())

    assert [await looked(names) for names in ("g0", "g0", "g0", "g0")] == [1, 2, 2, 2]
    # The new one shows first, and is asked about after that.
    assert [await looked(names) for names in ("g0 g1", "g0 g1", "g0 g1", "g0 g1")] == [2, 3, 3, 3]
    assert all("vulkan_version" in one.attributes for one in inventory.devices if one.device_class == "gpu")


async def test_devices_of_a_silent_detector_are_stale_after_a_while_and_keep_the_time_when_they_were_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    clock = [1000.0]
    search = Search(10.0, lambda: [EntryPoint("gpu", f"{HERE}:Gpu", GROUP)], folder=str(tmp_path))
    inventory = Inventory(search, stale_seconds=60.0, now=lambda: clock[0])

    async def looked(at: float) -> tuple[list[str], float]:
        clock[0] = at
        await inventory.look()
        found = inventory.by_id["g0"]
        return list(found.conditions), found.probed_at.ToSeconds()

    (tmp_path / "gpus.txt").write_text("g0")
    assert await looked(1000.0) == ([], 1000)
    assert await looked(1050.0) == ([], 1050)
    (tmp_path / "gpus.txt").unlink()
    assert await looked(1100.0) == ([], 1050)
    assert await looked(1120.0) == (["stale"], 1050)
    (tmp_path / "gpus.txt").write_text("g0")
    assert await looked(1200.0) == ([], 1200)
