"""As much of OpenCL's C interface as it takes to list devices, as cl.h and cl_ext.h have it."""

from __future__ import annotations

import ctypes as c
import struct
import sys
from dataclasses import dataclass
from typing import Any

_LOADER = "libOpenCL.so.1"
_ALL = 0xFFFFFFFF
# What a loader without platforms, and a platform without devices answer.
_NONE = (-1001, -1)
_PLATFORM_NAME = 0x0902
_TYPE, _VENDOR_ID, _UNITS, _MEMORY = 0x1000, 0x1001, 0x1002, 0x101F
_NAME, _VERSION = 0x102B, 0x102F
_PCI_BUS_INFO, _UUID = 0x410F, 0x106A
_NVIDIA_PCI_BUS, _NVIDIA_PCI_SLOT, _NVIDIA_PCI_DOMAIN = 0x4008, 0x4009, 0x400A
_UNIFIED = 0x1035
_PCI = struct.Struct("=4I")


_KINDS = ((2, "cpu"), (4, "gpu"), (8, "accelerator"))
"""Bits of CL_DEVICE_TYPE, of which a device may have several."""


@dataclass(frozen=True, slots=True)
class OpenClDevice:
    """One device as a platform shows it: `cpu`, `gpu`, `accelerator` or `custom`.

    `pci` and `uuid` are empty where it does not tell; memory is in bytes.
    """

    name: str
    kind: str
    vendor: int
    version: str
    platform: str
    uuid: str
    pci: str
    memory: int
    units: int
    integrated: bool


def opencl_devices() -> list[OpenClDevice]:
    """All of them, in the loader's order; none where there is no loader. Raises OSError."""
    try:
        loader = c.CDLL(_LOADER)
    except OSError:
        return []
    found: list[OpenClDevice] = []
    for platform in _handles(loader.clGetPlatformIDs):
        name = _text(_bytes(loader.clGetPlatformInfo, platform, _PLATFORM_NAME))
        devices = _handles(loader.clGetDeviceIDs, platform, c.c_uint64(_ALL))
        found += [_described(loader.clGetDeviceInfo, device, name) for device in devices]
    return found


def _handles(function: Any, *arguments: Any) -> list[c.c_void_p]:
    """What a function lists that is asked twice: how many, then which."""
    count = c.c_uint32()
    result = function(*arguments, c.c_uint32(0), None, c.byref(count))
    if result in _NONE or (not result and not count.value):
        return []
    found = (c.c_void_p * count.value)()
    result = result or function(*arguments, count, found, None)
    if result:
        raise OSError(f"OpenCL answered {result}")
    return [c.c_void_p(one) for one in found]


def _described(ask: Any, device: c.c_void_p, platform: str) -> OpenClDevice:
    uuid = _bytes(ask, device, _UUID).hex()
    version = _text(_bytes(ask, device, _VERSION)).split(" ")  # `OpenCL 3.0 PoCL HSTR: ...`
    return OpenClDevice(
        name=_text(_bytes(ask, device, _NAME)),
        kind=next((kind for bit, kind in _KINDS if _number(ask, device, _TYPE) & bit), "custom"),
        vendor=_number(ask, device, _VENDOR_ID),
        version=version[1] if len(version) > 1 else "",
        platform=platform,
        uuid=uuid if int(uuid or "0", 16) else "",
        pci=_address(ask, device),
        memory=_number(ask, device, _MEMORY),
        units=_number(ask, device, _UNITS),
        integrated=bool(_number(ask, device, _UNIFIED)),
    )


def _address(ask: Any, device: c.c_void_p) -> str:
    """As cl_khr_pci_bus_info says it, or as NVIDIA has done before."""
    told = _bytes(ask, device, _PCI_BUS_INFO)
    if len(told) >= _PCI.size:
        return "{:04x}:{:02x}:{:02x}.{:x}".format(*_PCI.unpack_from(told))
    if not _bytes(ask, device, _NVIDIA_PCI_BUS):
        return ""
    domain, bus, slot = (_number(ask, device, one) for one in (_NVIDIA_PCI_DOMAIN, _NVIDIA_PCI_BUS, _NVIDIA_PCI_SLOT))
    return f"{domain:04x}:{bus:02x}:{slot >> 3:02x}.{slot & 7:x}"


def _bytes(ask: Any, of: c.c_void_p, name: int) -> bytes:
    """A property; empty for one that is not known there."""
    size = c.c_size_t()
    if ask(of, c.c_uint32(name), c.c_size_t(0), None, c.byref(size)) or not size.value:
        return b""
    value = c.create_string_buffer(size.value)
    return b"" if ask(of, c.c_uint32(name), size, value, None) else value.raw


def _number(ask: Any, of: c.c_void_p, name: int) -> int:
    return int.from_bytes(_bytes(ask, of, name), sys.byteorder)


def _text(value: bytes) -> str:
    return value.partition(b"\0")[0].decode(errors="replace").strip()
