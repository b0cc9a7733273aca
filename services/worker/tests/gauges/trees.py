"""Parts of /proc and /sys as real machines show them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

CPUS = "devices/system/cpu"

INTEL_LAPTOP = {
    "sys/class/hwmon/hwmon0/name": "acpitz",
    "sys/class/hwmon/hwmon0/temp1_input": "16800",
    "sys/class/hwmon/hwmon1/name": "nvme",
    "sys/class/hwmon/hwmon1/temp1_label": "Composite",
    "sys/class/hwmon/hwmon1/temp1_input": "99850",
    "sys/class/hwmon/hwmon5/name": "coretemp",
    "sys/class/hwmon/hwmon5/temp1_label": "Package id 0",
    "sys/class/hwmon/hwmon5/temp1_input": "61000",
    "sys/class/hwmon/hwmon5/temp2_label": "Core 0",
    "sys/class/hwmon/hwmon5/temp2_input": "58000",
    "sys/class/hwmon/hwmon5/temp3_label": "Core 1",
    "sys/class/hwmon/hwmon5/temp3_input": "60000",
    "sys/class/thermal/thermal_zone0/type": "acpitz",
    "sys/class/thermal/thermal_zone0/temp": "98000",
    "sys/class/thermal/thermal_zone9/type": "x86_pkg_temp",
    "sys/class/thermal/thermal_zone9/temp": "62000",
    f"sys/{CPUS}/cpufreq/policy0/scaling_cur_freq": "1999996",
    f"sys/{CPUS}/cpufreq/policy0/scaling_max_freq": "4000000",
    f"sys/{CPUS}/cpufreq/policy0/cpuinfo_max_freq": "4000000",
    f"sys/{CPUS}/cpufreq/policy1/scaling_cur_freq": "3600000",
    f"sys/{CPUS}/cpufreq/policy1/scaling_max_freq": "4000000",
    f"sys/{CPUS}/cpufreq/policy1/cpuinfo_max_freq": "4000000",
    f"sys/{CPUS}/cpu0/thermal_throttle/core_throttle_count": "3",
    f"sys/{CPUS}/cpu0/thermal_throttle/package_throttle_count": "10",
    f"sys/{CPUS}/cpu1/thermal_throttle/core_throttle_count": "0",
    f"sys/{CPUS}/cpu1/thermal_throttle/package_throttle_count": "10",
}
"""Sensors of a mainboard and a disk beside those of the processor."""

THREADRIPPER = {
    "sys/class/hwmon/hwmon2/name": "k10temp",
    "sys/class/hwmon/hwmon2/temp1_label": "Tctl",
    "sys/class/hwmon/hwmon2/temp1_input": "80625",
    "sys/class/hwmon/hwmon2/temp2_label": "Tdie",
    "sys/class/hwmon/hwmon2/temp2_input": "53625",
    "sys/class/hwmon/hwmon2/temp3_label": "Tccd1",
    "sys/class/hwmon/hwmon2/temp3_input": "51250",
}
"""What its fans are told is 27 degrees above the truth."""

RYZEN = {
    "sys/class/hwmon/hwmon3/name": "k10temp",
    "sys/class/hwmon/hwmon3/temp1_label": "Tctl",
    "sys/class/hwmon/hwmon3/temp1_input": "47375",
}

RASPBERRY = {
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "sys/class/thermal/thermal_zone0/temp": "48312",
    f"sys/{CPUS}/cpufreq/policy0/scaling_cur_freq": "600000",
    f"sys/{CPUS}/cpufreq/policy0/scaling_max_freq": "1200000",
    f"sys/{CPUS}/cpufreq/policy0/cpuinfo_max_freq": "1500000",
}
"""One policy for all four processors, and an administrator's limit."""

STAT = """cpu  1000 100 300 90000 500 20 30 50 200 0
cpu0 500 50 150 45000 250 10 15 25 100 0
cpu1 500 50 150 45000 250 10 15 25 100 0
intr 12345 0 0
ctxt 67890
btime 1700000000
"""
PRESSURE = "some avg10=0.15 avg60=0.10 avg300=0.05 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
PROC = {"proc/stat": STAT, "proc/pressure/cpu": PRESSURE}


def lay_out(root: Path, *trees: Mapping[str, str]) -> Path:
    """Files below a root, each ended as the kernel ends them."""
    for tree in trees:
        for name, content in tree.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content.rstrip("\n") + "\n")
    return root
