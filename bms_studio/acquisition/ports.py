"""Which adapters are plugged in, and what keeps one from working, for the connect dialog and
`bms-studio adapters`.

Looks, opens nothing and transmits nothing; only `try_serial`, on a click, asks a port whether it is
an SLCAN adapter. What is missing is a code with parameters; `bms_studio.messages` has the sentence.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Any

from bms_studio.acquisition import known
from bms_studio.acquisition.settings import AdapterSettings
from bms_studio.acquisition.system_adapters import can_links, driverless, missing_parts

# USB ids from the published descriptors of firmware and chips. A stick on a plain serial chip
# cannot be told from any other device with that chip.
CAN_STICKS = {(0xAD50, 0x60C4): "CANable (SLCAN)", (0x16D0, 0x117E): "CANable 2 (SLCAN)"}
SERIAL_CHIPS = {
    (0x0403, 0x6015): "FTDI serial (Lawicel CANUSB and others)",
    (0x0403, 0x6001): "FTDI serial (Lawicel CANUSB and others)",
    (0x1A86, 0x7523): "CH340 serial",
    (0x1A86, 0x5523): "CH341 serial",
    (0x10C4, 0xEA60): "CP210x serial",
    (0x0483, 0x5740): "STM32 virtual COM port",
}


def list_adapters() -> list[dict[str, Any]]:
    """Adapters as JSON-able dicts, the one used last first, then those that are ready.

    interface, channel, name, serial, vid, pid; likely: known as a CAN adapter (else a serial port
    that may be one); last_used; missing: code of what has to be mended first ("" ready) with its
    parameters; listens: yes, no, or link (as the system's link is set up).
    """
    found = _serial_ports()
    if sys.platform.startswith("linux"):
        found += can_links() + driverless()
    there = {(one["interface"], one["channel"]) for one in found}
    found += [b for b in _can_buses() if (b["interface"], b["channel"]) not in there]
    before = known.used()
    for one in found:
        one["last_used"] = bool(before) and known.place(one, before) == 0
        one["listens"] = listens(one["interface"])

    def order(one: dict[str, Any]) -> tuple[Any, ...]:
        return known.place(one, before), bool(one["missing"]), not one["likely"], one["channel"]

    return sorted(found, key=order)


def list_missing() -> list[dict[str, str]]:
    """Drivers and extras that this system lacks for adapters it cannot see yet: interface, code,
    name, fix (what to type or install)."""
    return missing_parts()


def listens(interface: str) -> str:
    """Whether adapters of this interface can be kept from acknowledging: yes, no, link."""
    if interface == "slcan":
        return "yes"
    from bms_studio.acquisition.bus import can_listen

    return can_listen(interface)


def try_serial(channel: str) -> dict[str, str]:
    """Ask a serial port whether it is an SLCAN adapter, listening only: name and serial number.

    Sends the adapter's commands (C, S6, V, N, L) as text to the port. Raises AdapterError with one
    sentence if it is none.
    """
    from bms_studio.acquisition.slcan import SlcanAdapter

    adapter = SlcanAdapter(AdapterSettings("slcan", channel))
    try:
        return {"name": adapter.capabilities.name, "serial": adapter.capabilities.serial}
    finally:
        adapter.close()


def system_serial(settings: AdapterSettings) -> str:
    """The serial number by which the system knows what is plugged in there; "" unknown."""
    if settings.interface != "slcan" or "://" in settings.channel:
        return ""
    name = os.path.realpath(settings.channel.partition("@")[0])
    for port in _serial_ports():
        if os.path.realpath(port["channel"]) == name:
            return str(port["serial"])
    return ""


def _serial_ports() -> list[dict[str, Any]]:
    from serial.tools import list_ports

    found = []
    for port in list_ports.comports():
        if port.vid is None and not port.description.strip("n/a "):
            continue  # motherboard ports without anything behind them (Linux lists 32 of them)
        usb = (port.vid, port.pid)
        name = CAN_STICKS.get(usb) or SERIAL_CHIPS.get(usb)
        missing, parameters = _right_to(Path(port.device))
        found.append(
            {
                "interface": "slcan",
                "channel": port.device,
                "name": name or port.description or port.device,
                "serial": port.serial_number or "",
                "vid": port.vid,
                "pid": port.pid,
                "likely": usb in CAN_STICKS,
                "missing": missing,
                "parameters": parameters,
            }
        )
    return found


def _right_to(device: Path) -> tuple[str, dict[str, str]]:
    """What keeps this user from opening a port; "" nothing, or nothing that can be known."""
    if sys.platform == "win32" or not device.exists() or os.access(device, os.R_OK | os.W_OK):
        return "", {}
    import grp

    number = device.stat().st_gid
    group = next((g.gr_name for g in grp.getgrall() if g.gr_gid == number), str(number))
    if group in ("root", "wheel"):
        group = "dialout"
    return "serial_right", {"channel": str(device), "group": group}


def _can_buses() -> list[dict[str, Any]]:
    from bms_studio.acquisition.bus import detect

    # Vendors' drivers that are not installed complain in the log; that is no news here.
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        configurations = detect()
    finally:
        logging.disable(before)
    return [
        {
            "interface": str(one.get("interface", "")),
            "channel": str(one.get("channel", "")),
            "name": str(one.get("device_name") or one.get("interface", "")),
            "serial": str(one.get("unique_hardware_id") or one.get("serial", "")),
            "vid": None,
            "pid": None,
            "likely": True,
            "missing": "",
            "parameters": {},
        }
        for one in configurations
    ]
