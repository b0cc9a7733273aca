"""As much of Vulkan's C interface as it takes to list devices. The layouts are those of vulkan_core.h, 64-bit and 32-bit alike."""

from __future__ import annotations

import ctypes as c
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

_LOADER = "libvulkan.so.1"
_API_1_1 = 1 << 22 | 1 << 12
_INSTANCE_CREATE_INFO, _APPLICATION_INFO = 1, 0
_PROPERTIES_2, _ID_PROPERTIES, _DRIVER_PROPERTIES, _PCI_PROPERTIES = 1000059001, 1000071004, 1000196000, 1000212000
_PCI_EXTENSION, _DRIVER_EXTENSION = b"VK_EXT_pci_bus_info", b"VK_KHR_driver_properties"
_DEVICE_LOCAL = 1
_NAME = c.c_char * 256
# VkPhysicalDeviceLimits and VkPhysicalDeviceSparseProperties, which nobody asks for, with room for more.
_REST = c.c_uint64 * 96


_KINDS = ("other", "integrated", "discrete", "virtual", "cpu")
"""VkPhysicalDeviceType."""


@dataclass(frozen=True, slots=True)
class PhysicalDevice:
    """One device as a driver shows it: `cpu`, `integrated`, `discrete`, `virtual` or `other`.

    `pci` and `uuid` are empty where it does not tell; memory is in bytes.
    """

    name: str
    kind: str
    vendor: int
    version: str
    driver: str
    uuid: str
    pci: str
    memory: int


class _ApplicationInfo(c.Structure):
    _fields_ = [
        ("type", c.c_int32),
        ("next", c.c_void_p),
        ("name", c.c_char_p),
        ("version", c.c_uint32),
        ("engine", c.c_char_p),
        ("engine_version", c.c_uint32),
        ("api_version", c.c_uint32),
    ]


class _InstanceCreateInfo(c.Structure):
    _fields_ = [
        ("type", c.c_int32),
        ("next", c.c_void_p),
        ("flags", c.c_uint32),
        ("application", c.POINTER(_ApplicationInfo)),
        ("layers", c.c_uint32),
        ("layer_names", c.c_void_p),
        ("extensions", c.c_uint32),
        ("extension_names", c.c_void_p),
    ]


class _Properties(c.Structure):
    _fields_ = [
        ("api_version", c.c_uint32),
        ("driver_version", c.c_uint32),
        ("vendor", c.c_uint32),
        ("device", c.c_uint32),
        ("kind", c.c_int32),
        ("name", _NAME),
        ("cache", c.c_uint8 * 16),
        ("rest", _REST),
    ]


class _Properties2(c.Structure):
    _fields_ = [("type", c.c_int32), ("next", c.c_void_p), ("properties", _Properties)]


class _IdProperties(c.Structure):
    _fields_ = [
        ("type", c.c_int32),
        ("next", c.c_void_p),
        ("device_uuid", c.c_uint8 * 16),
        ("driver_uuid", c.c_uint8 * 16),
        ("luid", c.c_uint8 * 8),
        ("mask", c.c_uint32),
        ("luid_valid", c.c_uint32),
    ]


class _DriverProperties(c.Structure):
    _fields_ = [
        ("type", c.c_int32),
        ("next", c.c_void_p),
        ("id", c.c_int32),
        ("name", _NAME),
        ("info", _NAME),
        ("conformance", c.c_uint8 * 4),
    ]


class _PciProperties(c.Structure):
    _fields_ = [
        ("type", c.c_int32),
        ("next", c.c_void_p),
        ("domain", c.c_uint32),
        ("bus", c.c_uint32),
        ("device", c.c_uint32),
        ("function", c.c_uint32),
    ]


class _Extension(c.Structure):
    _fields_ = [("name", _NAME), ("version", c.c_uint32)]


class _Heap(c.Structure):
    _fields_ = [("size", c.c_uint64), ("flags", c.c_uint32)]


class _Memory(c.Structure):
    _fields_ = [
        ("type_count", c.c_uint32),
        ("types", c.c_uint32 * 64),
        ("heap_count", c.c_uint32),
        ("heaps", _Heap * 16),
    ]


def physical_devices() -> list[PhysicalDevice]:
    """All of them, in the loader's order; none where there is no loader, or one without a driver. Raises OSError."""
    try:
        loader = c.CDLL(_LOADER)
    except OSError:
        return []
    with _instance(loader) as instance:
        handles = _counted(loader.vkEnumeratePhysicalDevices, c.c_void_p, instance) if instance else []
        return [_described(loader, c.c_void_p(handle)) for handle in handles]


@contextmanager
def _instance(loader: Any) -> Iterator[c.c_void_p | None]:
    """An instance of Vulkan 1.1; None where no driver can be used."""
    application = _ApplicationInfo(_APPLICATION_INFO, None, b"crossfleet", 0, None, 0, _API_1_1)
    info = _InstanceCreateInfo(_INSTANCE_CREATE_INFO, None, 0, c.pointer(application), 0, None, 0, None)
    instance = c.c_void_p()
    made = loader.vkCreateInstance(c.byref(info), None, c.byref(instance)) == 0
    try:
        yield instance if made else None
    finally:
        if made:
            loader.vkDestroyInstance(instance, None)


def _counted(function: Any, kind: Any, *arguments: Any) -> list[Any]:
    """What a function lists that is asked twice: how many, then which."""
    count = c.c_uint32()
    _check(function(*arguments, c.byref(count), None))
    found = (kind * count.value)()
    _check(function(*arguments, c.byref(count), found))
    return list(found[: count.value])


def _check(result: int) -> None:
    if result < 0:
        raise OSError(f"Vulkan answered {result}")


def _described(loader: Any, handle: c.c_void_p) -> PhysicalDevice:
    extensions = {one.name for one in _counted(loader.vkEnumerateDeviceExtensionProperties, _Extension, handle, None)}
    pci = _PciProperties(_PCI_PROPERTIES)
    driver = _DriverProperties(_DRIVER_PROPERTIES)
    ids = _IdProperties(_ID_PROPERTIES)
    chained: list[Any] = [ids]
    if _PCI_EXTENSION in extensions:
        chained.append(pci)
    if _DRIVER_EXTENSION in extensions:
        chained.append(driver)
    for one, following in pairwise(chained):
        one.next = c.addressof(following)
    found = _Properties2(_PROPERTIES_2, c.addressof(ids))
    loader.vkGetPhysicalDeviceProperties2(handle, c.byref(found))
    properties = found.properties
    at = f"{pci.domain:04x}:{pci.bus:02x}:{pci.device:02x}.{pci.function:x}" if pci in chained else ""
    uuid = bytes(ids.device_uuid).hex()
    return PhysicalDevice(
        name=properties.name.decode(errors="replace"),
        kind=_KINDS[properties.kind] if properties.kind in range(len(_KINDS)) else _KINDS[0],
        vendor=properties.vendor,
        version=_version(properties.api_version),
        driver=driver.name.decode(errors="replace"),
        uuid=uuid if int(uuid, 16) else "",
        pci=at,
        memory=_local_bytes(loader, handle),
    )


def _local_bytes(loader: Any, handle: c.c_void_p) -> int:
    """The largest of the heaps that are its own."""
    memory = _Memory()
    loader.vkGetPhysicalDeviceMemoryProperties(handle, c.byref(memory))
    heaps = memory.heaps[: memory.heap_count]
    return max((heap.size for heap in heaps if heap.flags & _DEVICE_LOCAL), default=0)


def _version(packed: int) -> str:
    return f"{packed >> 22 & 0x7F}.{packed >> 12 & 0x3FF}.{packed & 0xFFF}"
