"""CAN adapters as the system sees them: Linux's CAN links and USB devices without a driver, and the
drivers and extras that other systems need.

Reads /sys, looks for libraries; opens and changes nothing.
"""

import ctypes.util
import importlib.util
import sys
from pathlib import Path
from typing import Any

SYS = Path("/sys")
_ARPHRD_CAN = "280"  # linux/if_arp.h
_IFF_UP = 1
# USB ids as listed by the drivers gs_usb, peak_usb and kvaser_usb of the Linux kernel.
_GS_USB = {
    (0x1D50, 0x606F): "candleLight / CANable (gs_usb)",
    (0x1209, 0x2323): "candleLight (gs_usb)",
    (0x1CD2, 0x606F): "CANext FD (gs_usb)",
    (0x16D0, 0x10B8): "CANdebugger FD (gs_usb)",
}
_PEAK = {
    (0x0C72, 0x000C): "PCAN-USB",
    (0x0C72, 0x000D): "PCAN-USB Pro",
    (0x0C72, 0x0012): "PCAN-USB FD",
    (0x0C72, 0x0011): "PCAN-USB Pro FD",
}
_KVASER = 0x0BFD


def can_links(root: Path = SYS) -> list[dict[str, Any]]:
    """Linux's CAN interfaces (can0, vcan0 …), those that are down as well."""
    found = []
    for link in sorted((root / "class" / "net").glob("*")):
        if _word(link / "type") != _ARPHRD_CAN:
            continue
        usb = (link / "device").resolve().parent
        up = bool(int(_word(link / "flags") or "0", 16) & _IFF_UP)
        found.append(
            {
                "interface": "socketcan",
                "channel": link.name,
                "name": _word(usb / "product") or _driver(link) or "SocketCAN",
                "serial": _word(usb / "serial"),
                "vid": _hex(usb / "idVendor"),
                "pid": _hex(usb / "idProduct"),
                "likely": True,
                "missing": "" if up else "link_down",
                "parameters": {} if up else {"channel": link.name},
            }
        )
    return found


def driverless(root: Path = SYS) -> list[dict[str, Any]]:
    """CAN adapters on Linux's USB that no driver has taken: known ones without a CAN interface."""
    found = []
    for device in sorted((root / "bus" / "usb" / "devices").glob("*")):
        usb = (_hex(device / "idVendor"), _hex(device / "idProduct"))
        name, module = _known(usb)
        if not module or any(device.glob("*/net/*")) or any(device.glob("net/*")):
            continue
        found.append(
            {
                "interface": "socketcan",
                "channel": "",
                "name": _word(device / "product") or name,
                "serial": _word(device / "serial"),
                "vid": usb[0],
                "pid": usb[1],
                "likely": True,
                "missing": "kernel_module",
                "parameters": {"module": module},
            }
        )
    return found


def missing_parts(platform: str = sys.platform) -> list[dict[str, str]]:
    """What has to be installed before adapters of these kinds can be seen on this system.

    interface, code ("extra", "driver"), name for people, fix. Linux needs nothing: its kernel has
    the drivers, and `driverless` says where one is not loaded.
    """
    parts: list[dict[str, str]] = []
    if platform.startswith("linux"):
        return parts
    if importlib.util.find_spec("gs_usb") is None:
        fix = 'pip install "python-can[gs-usb]" libusb-package'
        if platform == "win32":
            fix += "; Zadig: libusbK"
        parts.append(_part("gs_usb", "extra", "candleLight, CANable (gs_usb)", fix))
    libraries = (
        [
            ("pcan", "PCANBasic", "PEAK PCAN", "peak-system.com: PCAN-Basic"),
            ("kvaser", "canlib32", "Kvaser", "kvaser.com: CANlib drivers"),
            ("vector", "vxlapi64", "Vector", "vector.com: XL Driver Library"),
            ("ixxat", "vcinpl", "IXXAT", "ixxat.com: VCI driver"),
        ]
        if platform == "win32"
        else [("pcan", "PCBUSB", "PEAK PCAN", "mac-can.com: PCBUSB library")]
    )
    for interface, library, name, fix in libraries:
        if ctypes.util.find_library(library) is None:
            parts.append(_part(interface, "driver", name, fix))
    return parts


def _part(interface: str, code: str, name: str, fix: str) -> dict[str, str]:
    return {"interface": interface, "code": code, "name": name, "fix": fix}


def _known(usb: tuple[int | None, int | None]) -> tuple[str, str]:
    """Name of a CAN adapter and the kernel module that drives it; "" for anything else."""
    vendor, product = usb
    if vendor is None or product is None:
        return "", ""
    if (vendor, product) in _GS_USB:
        return _GS_USB[vendor, product], "gs_usb"
    if (vendor, product) in _PEAK:
        return _PEAK[vendor, product], "peak_usb"
    return ("Kvaser", "kvaser_usb") if vendor == _KVASER else ("", "")


def _driver(link: Path) -> str:
    driver = link / "device" / "driver"
    return driver.resolve().name if driver.exists() else ""


def _word(path: Path) -> str:
    """The first line of a file of /sys; "" where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _hex(path: Path) -> int | None:
    word = _word(path)
    try:
        return int(word, 16) if word else None
    except ValueError:
        return None
