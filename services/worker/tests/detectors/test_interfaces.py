"""Vulkan and OpenCL, asked through real loaders and real drivers that compute on the processors."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from crossfleet.worker.detectors.detector import Found
from crossfleet.worker.detectors.opencl import OpenClDetector
from crossfleet.worker.detectors.search import GROUP, Search
from crossfleet.worker.detectors.vulkan import VulkanDetector
from crossfleet.worker.inventory import Inventory

HOME = Path(__file__).parents[4] / ".tools" / "interfaces"
INTERFACES = ("vulkan", "opencl")


@pytest.fixture
def drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaders and drivers as tools/install_interfaces has unpacked them, and no others."""
    if not (HOME / "complete").exists():
        text = "no drivers of Vulkan and OpenCL here: tools/install_interfaces brings them"
        if os.environ.get("CI") == "true":
            pytest.fail(text, pytrace=False)
        pytest.skip(text)
    libraries = (HOME / "complete").read_text().strip()
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{libraries}:{libraries}/pocl")
    monkeypatch.setenv("VK_DRIVER_FILES", str(HOME / "vulkan/lvp.json"))
    monkeypatch.setenv("VK_ICD_FILENAMES", str(HOME / "vulkan/lvp.json"))  # loaders before 1.3.207
    monkeypatch.setenv("OCL_ICD_VENDORS", str(HOME / "opencl"))
    monkeypatch.setenv("POCL_CACHE_DIR", "/nonexistent")


def _search() -> Search:
    return Search(30.0, lambda: [one for one in entry_points(group=GROUP) if one.name in INTERFACES])


@pytest.mark.usefixtures("drivers")
async def test_a_driver_that_computes_on_the_processors_shows_them() -> None:
    answers = await _search().all(without=frozenset())
    found: dict[str, Found] = {}
    for name in INTERFACES:
        answer = answers[name]
        assert not isinstance(answer, str), answer
        (found[name],) = answer
    vulkan, opencl = (found[name]["attributes"] for name in INTERFACES)
    assert {one["device_class"] for one in found.values()} == {"cpu"}
    assert vulkan["model"].startswith("llvmpipe")
    assert vulkan["vulkan_driver"] == "llvmpipe"
    assert vulkan["vulkan_version"]["version"].startswith("1.")
    assert opencl["opencl_platform"] == "Portable Computing Language"
    assert float(opencl["opencl_version"]["version"]) >= 1.2


@pytest.mark.usefixtures("drivers")
async def test_their_versions_are_the_processors_and_no_gpu_is_listed() -> None:
    inventory = Inventory(_search())
    assert await inventory.look()
    (cpu,) = inventory.devices
    assert {"vulkan_version", "vulkan_driver", "opencl_version"} <= set(cpu.attributes)
    assert inventory.errors == {}
    assert not inventory.has_more_than_processors


def test_where_no_driver_is_listed_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VK_DRIVER_FILES", "VK_ADD_DRIVER_FILES", "VK_ICD_FILENAMES", "OCL_ICD_VENDORS", "OCL_ICD_FILENAMES"):
        monkeypatch.delenv(name, raising=False)
    assert not VulkanDetector(tmp_path).present()
    assert not OpenClDetector(tmp_path).present()
