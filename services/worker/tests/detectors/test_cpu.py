"""What is told of processors, read from trees as kernels show them, and from this host."""

from __future__ import annotations

from pathlib import Path

from crossfleet.worker.detectors.cpu import CpuDetector
from crossfleet.worker.detectors.numa import numa_nodes
from services.worker.tests.detectors.trees import build

BLOCK = (
    "processor\t: {cpu}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 151\n"
    "model name\t: 12th Gen Intel(R) Core(TM) i7-12700K\nstepping\t: 2\nmicrocode\t: 0x38\ncpu MHz\t\t: 3600.000\n"
    "cache size\t: 25600 KB\nphysical id\t: 0\nsiblings\t: 4\ncore id\t\t: {core}\ncpu cores\t: 3\n"
    "flags\t\t: fpu vme sse4_2 avx2\n"
)
CPU = "sys/devices/system/cpu"
NODE = "sys/devices/system/node"


def _attributes(root: Path) -> dict[str, object]:
    return dict(CpuDetector(root).detect()[0]["attributes"])


def test_a_processor_of_two_kinds_of_cores_says_so(tmp_path: Path) -> None:
    blocks = [BLOCK.format(cpu=cpu, core=core) for cpu, core in ((0, 0), (1, 0), (2, 4), (3, 5))]
    files = {
        "proc/cpuinfo": "\n".join(blocks) + "\n",
        "proc/sys/kernel/osrelease": "6.8.0-45-generic\n",
        "sys/devices/cpu_core/cpus": "0-1\n",
        "sys/devices/cpu_atom/cpus": "2-3\n",
        f"{CPU}/cpufreq/policy0/cpuinfo_max_freq": "4900000\n",
        f"{CPU}/cpufreq/policy2/cpuinfo_max_freq": "3800000\n",
        f"{CPU}/cpu0/cache/index0/level": "1\n",
        f"{CPU}/cpu0/cache/index0/type": "Data\n",
        f"{CPU}/cpu0/cache/index0/size": "48K\n",
        f"{CPU}/cpu0/cache/index2/level": "2\n",
        f"{CPU}/cpu0/cache/index2/type": "Unified\n",
        f"{CPU}/cpu0/cache/index2/size": "1280K\n",
        f"{CPU}/cpu0/cache/index3/level": "3\n",
        f"{CPU}/cpu0/cache/index3/type": "Unified\n",
        f"{CPU}/cpu0/cache/index3/size": "25600K\n",
        "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "16\n",
        "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages": "1\n",
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    }
    found = _attributes(build(tmp_path, files))
    told = {
        "model": "12th Gen Intel(R) Core(TM) i7-12700K",
        "vendor": "intel",
        "features": ["fpu", "vme", "sse4_2", "avx2"],
        "physical_cores": 3,
        "sockets": 1,
        "threads": 1,
        "hybrid": True,
        "performance_cores": 2,
        "efficiency_cores": 2,
        "l2_cache": 1280 << 10,
        "l3_cache": 25600 << 10,
        "frequency": 4_900_000_000,
        "microcode": 0x38,
        "hypervisor": False,
        "kernel": {"version": "6.8.0-45-generic"},
        "huge_pages": (16 << 21) + (1 << 30),
        "transparent_huge_pages": "madvise",
    }
    assert {name: found.get(name) for name in told} == told
    assert "numa_nodes" not in found


def test_a_board_of_big_and_little_cores_is_hybrid_and_small_differences_of_firmware_are_not(tmp_path: Path) -> None:
    def board(name: str, capacities: list[int]) -> dict[str, object]:
        files = {f"{CPU}/cpu{cpu}/cpu_capacity": f"{value}\n" for cpu, value in enumerate(capacities)}
        files["proc/cpuinfo"] = (
            "processor\t: 0\nBogoMIPS\t: 48.00\nFeatures\t: fp asimd crc32\nCPU implementer\t: 0x41\n"
        )
        return _attributes(build(tmp_path / name, files))

    rockchip = board("rk3588", [381, 381, 381, 381, 1024, 1024, 1024, 1024])
    assert (rockchip["vendor"], rockchip["hybrid"], rockchip["features"]) == ("arm", True, ["fp", "asimd", "crc32"])
    assert (rockchip["performance_cores"], rockchip["efficiency_cores"]) == (4, 4)
    assert board("ryzen", [1024, 1024, 970, 905])["hybrid"] is False


def test_numa_nodes_are_those_with_processors(tmp_path: Path) -> None:
    files = {
        f"{NODE}/node0/cpulist": "0-2,6-8\n",
        f"{NODE}/node0/meminfo": "Node 0 MemTotal:       65536000 kB\nNode 0 MemFree:        1024 kB\n",
        f"{NODE}/node1/cpulist": "3-5,9-11\n",
        f"{NODE}/node1/meminfo": "Node 1 MemTotal:       66056192 kB\n",
        f"{NODE}/node2/cpulist": "\n",
        f"{NODE}/node2/meminfo": "Node 2 MemTotal:       268435456 kB\n",
        f"{NODE}/online": "0-2\n",
    }
    root = build(tmp_path, files)
    assert [(one.number, len(one.cpus), one.memory) for one in numa_nodes(root)] == [
        (0, 6, 65536000 << 10),
        (1, 6, 66056192 << 10),
    ]
    found = _attributes(root)
    assert (found["numa_nodes"], found["numa_cores"], found["numa_memory"]) == (2, 6, 66056192 << 10)


def test_this_host_tells_its_kernel_and_its_c_library() -> None:
    found = _attributes(Path("/"))
    assert isinstance(found["kernel"], dict)
    assert found["libc"] in ("glibc", "musl")
    assert found.get("features") is not None
