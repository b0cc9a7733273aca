"""Detectors: what the processors say, and what becomes of one that fails, hangs or lies."""

from __future__ import annotations

import asyncio
import threading
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crossfleet.foundation.errors.installation import ConfigurationInvalid
from crossfleet.foundation.wait import eventually
from crossfleet.worker.core.link import Link
from crossfleet.worker.detectors.cpu import CpuDetector, cores, memory_bytes
from crossfleet.worker.detectors.granted import granted
from crossfleet.worker.detectors.search import GROUP, Search
from crossfleet.worker.devicewatch import DeviceWatch
from crossfleet.worker.identity import devices_to_share
from crossfleet.worker.inventory import Inventory
from crossfleet.worker.translate.devices import device
from services.worker.tests.agent.sample_detectors import Stuck

PLACE = "services.worker.tests.agent.sample_detectors"


def _search(*names: str, seconds: float = 10.0) -> Search:
    entries = [EntryPoint(name.lower(), f"{PLACE}:{name}", GROUP) for name in names]
    return Search(seconds, lambda: entries, folder=".")


def _runs(pid: int) -> bool:
    try:
        return "(sleep) Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


async def test_the_processors_are_known_at_once() -> None:
    inventory = Inventory(_search())
    cpu = inventory.devices[0]
    assert (cpu.device_id, cpu.device_class, cpu.detector) == ("cpu-0", "cpu", "cpu")
    assert cpu.attributes["cores"].int_value == cores() >= 1
    assert cpu.attributes["memory"].int_value == memory_bytes() > 1 << 26
    assert cpu.attributes["model"].string_value


async def test_what_a_detector_finds_is_typed() -> None:
    inventory = Inventory(_search("Browser"))
    changed = await inventory.look()
    found = inventory.by_id["b-0"]
    kinds = {name: value.WhichOneof("kind") for name, value in found.attributes.items()}
    assert changed
    assert found.device_class == "browser"
    assert found.capacities["tabs"] == 4
    assert kinds == {
        "a": "bool_value",
        "b": "int_value",
        "c": "double_value",
        "d": "string_value",
        "e": "version_value",
        "f": "list_value",
    }


@pytest.mark.parametrize(
    ("share", "shareable"), [((), False), (("browser",), True), (("b-0",), True), (("gpu",), False)]
)
async def test_devices_are_shareable_whose_class_or_id_the_operator_names(
    share: tuple[str, ...], shareable: bool
) -> None:
    inventory = Inventory(_search("Browser"), share=devices_to_share(share))
    await inventory.look()
    assert inventory.by_id["b-0"].shareable is shareable
    assert not inventory.by_id["cpu-0"].shareable


async def test_a_name_to_share_that_no_device_has_is_told_once_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    nobody: Any = SimpleNamespace(abouts={})
    inventory = Inventory(_search("Browser"), share=devices_to_share(("browsr", "browser")))
    watch = DeviceWatch(inventory, Link(), nobody, nobody, every=60.0, tell=lambda: None, wake=lambda: None)
    for _ in range(2):
        await watch.look()
    (told,) = [line for line in capsys.readouterr().err.splitlines() if "--share" in line]
    assert all(word in told for word in ("browsr", "browser", "b-0", "cpu")), told


def test_processors_are_not_shared_by_portions() -> None:
    with pytest.raises(ConfigurationInvalid, match="settings are wrong") as wrong:
        devices_to_share(("gpu", "cpu"))
    assert wrong.value.fields[0].path == "share"


async def test_a_detector_that_fails_is_named_and_costs_the_others_nothing() -> None:
    inventory = Inventory(_search("Raising", "Lying", "Browser", "NotThere"))
    await inventory.look()
    assert "the driver is broken" in inventory.errors["raising"]
    assert "device_id" in inventory.errors["lying"]
    assert "NotThere" in inventory.errors["notthere"]
    assert "b-0" in inventory.by_id


async def test_a_device_that_is_described_wrongly_is_left_out_and_named_and_no_other_is() -> None:
    inventory = Inventory(_search("Mixed", "Twin"))
    await inventory.look()
    left_out = inventory.left_out("mixed")
    assert set(inventory.by_id) == {"cpu-0", "good", "own"}
    assert (inventory.by_id["good"].device_class, inventory.by_id["good"].capacities["memory"]) == ("gpu", 8 * 10**9)
    assert inventory.errors == {}
    assert {name: why.partition(" is ")[0] for name, why in left_out.items()} == {
        "number 2": "device_id",
        "line\nbreak": "device_id",
        "number 4": "device_id",
        "negative": "capacities['memory']",
        "truncated": "capacities['memory']",
        "shared": "shareable",
        "stretched": "conditions",
        "classless": "device_class",
        "huge": "attributes['n']",
        "view": "adds",
        "number 12": "it",
    }
    assert left_out["negative"] == "capacities['memory'] is -1, not a whole number from 0 to 2^63-1"
    assert "device number 2 is left out: device_id is ''" in inventory.troubles["mixed"]
    assert (
        "device good is left out: device_id is that of a device which detector mixed has found"
        in (inventory.troubles["twin"])
    )


async def test_a_device_that_is_described_wrongly_later_stays_as_it_was_and_gets_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNING", str(tmp_path / "seen"))
    now = [1_000.0]
    inventory = Inventory(_search("Turning"), stale_seconds=60.0, now=lambda: now[0])
    await inventory.look()
    assert inventory.troubles == {}
    for at, conditions in ((1_050.0, []), (1_070.0, ["stale"])):
        now[0] = at
        await inventory.look()
        odd = inventory.by_id["odd"]
        assert (odd.capacities["memory"], list(odd.conditions)) == (4, conditions)
        assert odd.probed_at.seconds == 1_000
        assert not inventory.by_id["good"].conditions
    assert "device odd is left out: capacities['memory'] is -1" in inventory.troubles["turning"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Endless", "its answer is longer than 1048576 bytes"),
        ("Spilling", "what it says beside its answer is longer than 1048576 bytes"),
        ("Deep", "what it found cannot be read"),
        ("Single", "what it found cannot be read"),
    ],
)
async def test_an_answer_that_is_too_long_or_no_answer_is_refused_with_its_cause(name: str, why: str) -> None:
    inventory = Inventory(_search(name, "Browser"))
    await inventory.look()
    assert inventory.errors[name.lower()].startswith(why)
    assert "b-0" in inventory.by_id


async def test_a_detector_that_hangs_is_ended() -> None:
    inventory = Inventory(_search("Hanging", seconds=0.3))
    await inventory.look()
    assert "0.3 s" in inventory.errors["hanging"]


async def test_nobody_waits_for_what_a_detector_that_was_ended_has_left_behind() -> None:
    inventory = Inventory(_search("Leaving", seconds=1.0))
    async with asyncio.timeout(20):
        await inventory.look()
    assert "1 s" in inventory.errors["leaving"]


async def test_what_a_detector_has_started_ends_with_it() -> None:
    inventory = Inventory(_search("Littering"))
    await inventory.look()
    assert inventory.errors == {}
    left = inventory.by_id["b-0"].attributes["left"].int_value
    await eventually(lambda: not _runs(left), deadline=30, what="what it has left behind is gone")


async def test_one_that_exits_is_named_with_its_last_word() -> None:
    inventory = Inventory(_search("Exiting", "Browser"))
    await inventory.look()
    assert inventory.errors == {"exiting": "it does not load: SystemExit: no licence"}
    assert "b-0" in inventory.by_id


async def test_one_that_cannot_be_ended_is_left_alone_until_it_has_ended() -> None:
    inventory = Inventory(_search("Stuck", "Browser", seconds=2.0))
    Stuck.free.clear()
    await inventory.look()
    assert "2 s" in inventory.errors["stuck"]
    await inventory.look()
    assert "hung since an earlier look" in inventory.errors["stuck"]
    assert "b-0" in inventory.by_id
    Stuck.free.set()
    await eventually(lambda: "stuck" not in [one.name for one in threading.enumerate()], deadline=30)
    await inventory.look()
    assert "stuck" not in inventory.errors


async def test_nothing_is_asked_where_there_is_nothing_to_look_at() -> None:
    assert await _search("Absent").all(without=frozenset()) == {}


def test_the_features_of_the_processor_are_a_list() -> None:
    found = device(CpuDetector().detect()[0], "cpu", 0.0)
    assert found.attributes["features"].WhichOneof("kind") == "list_value"


@pytest.mark.parametrize(("again", "told"), [(600.0, 1), (0.0, 3)])
async def test_devices_are_told_when_they_change_and_after_a_while_to_show_that_they_are_still_looked_at(
    again: float, told: int
) -> None:
    nobody: Any = SimpleNamespace(abouts={})  # holds an allocation, so that neither openings nor the shim are asked
    heard: list[int] = []
    inventory = Inventory(_search("Browser"))

    def tell() -> None:
        heard.append(len(inventory.devices))

    watch = DeviceWatch(inventory, Link(), nobody, nobody, every=60.0, tell=tell, wake=lambda: None, again=again)
    for _ in range(3):
        await watch.look()
    assert heard == [2] * told


async def test_a_detector_that_gives_no_answer_is_asked_again_also_where_nothing_else_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    nobody: Any = SimpleNamespace(abouts={})
    heard: list[dict[str, str]] = []
    entry = EntryPoint("changing", f"{PLACE}:Changing", GROUP)
    inventory = Inventory(Search(10.0, lambda: [entry], folder=str(tmp_path)))

    def tell() -> None:
        heard.append(dict(inventory.errors))
        (tmp_path / "changing.txt").write_text("n-0")

    watch = DeviceWatch(inventory, Link(), nobody, nobody, every=0.01, tell=tell, wake=lambda: None)
    looking = asyncio.create_task(watch.run())
    await eventually(lambda: "n-0" in inventory.by_id, deadline=45)
    looking.cancel()
    assert "changing.txt" in heard[0]["changing"]
    assert inventory.errors == {}


async def test_a_device_that_is_not_found_any_more_is_lost_until_it_is_back_and_a_silent_detector_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    entry = EntryPoint("changing", f"{PLACE}:Changing", GROUP)
    inventory = Inventory(Search(10.0, lambda: [entry], folder=str(tmp_path)))

    async def looked() -> dict[str, list[str]]:
        await inventory.look()
        return {one.device_id: list(one.conditions) for one in inventory.devices if one.detector == "changing"}

    (tmp_path / "changing.txt").write_text("n-0 n-1")
    assert await looked() == {"n-0": [], "n-1": []}
    (tmp_path / "changing.txt").write_text("n-1")
    assert await looked() == {"n-0": ["lost"], "n-1": []}
    (tmp_path / "changing.txt").unlink()
    assert await looked() == {"n-0": ["lost"], "n-1": []}
    assert "changing.txt" in inventory.errors["changing"]
    (tmp_path / "changing.txt").write_text("n-0 n-1")
    assert await looked() == {"n-0": [], "n-1": []}
    assert inventory.errors == {}


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [
        (None, [0, 1, 2]),
        ("2,0", [2, 0]),
        ("GPU-b", [1]),
        ("GPU-", []),
        ("1,-1,2", [1]),
        ("0,0", [0]),
        ("", []),
        ("NoDevFiles", []),
    ],
)
def test_a_worker_to_which_some_gpus_were_given_offers_no_others(chosen: str | None, shown: list[int]) -> None:
    gpus = [{"device_id": f"GPU-{name}{name}", "attributes": {"index": number}} for number, name in enumerate("abc")]
    assert [gpu["attributes"]["index"] for gpu in granted(gpus, chosen)] == shown
