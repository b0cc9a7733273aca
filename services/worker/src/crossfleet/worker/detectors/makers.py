"""Who makes a device, by the number that its maker has on the PCI bus or from Khronos."""

_MAKERS = {
    0x1002: "amd",
    0x1010: "imagination",
    0x1022: "amd",
    0x106B: "apple",
    0x10DE: "nvidia",
    0x13B5: "arm",
    0x14E4: "broadcom",
    0x17CB: "qualcomm",
    0x1DA3: "habana",
    0x5143: "qualcomm",
    0x8086: "intel",
    0x10005: "mesa",
}


def maker(number: int) -> str:
    """The maker's name in lower case; its number where it is none of these."""
    return _MAKERS.get(number, f"{number:04x}")
