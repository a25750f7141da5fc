"""Which adapters are plugged in, for the connect dialog and `bms-studio adapters`.

Looks, opens nothing and transmits nothing.
"""

import logging
from typing import Any

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
    """Adapters as JSON-able dicts: interface, channel, name, serial, vid, pid, likely.

    likely: its USB id is one of a known CAN stick. Serial ports first, then what the interfaces of
    python-can find; an interface whose driver fails finds nothing.
    """
    return sorted(_serial_ports(), key=lambda p: (not p["likely"], p["channel"])) + _can_buses()


def _serial_ports() -> list[dict[str, Any]]:
    from serial.tools import list_ports

    found = []
    for port in list_ports.comports():
        if port.vid is None and not port.description.strip("n/a "):
            continue  # motherboard ports without anything behind them (Linux lists 32 of them)
        usb = (port.vid, port.pid)
        known = CAN_STICKS.get(usb) or SERIAL_CHIPS.get(usb)
        found.append(
            {
                "interface": "slcan",
                "channel": port.device,
                "name": known or port.description or port.device,
                "serial": port.serial_number or "",
                "vid": port.vid,
                "pid": port.pid,
                "likely": usb in CAN_STICKS,
            }
        )
    return found


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
        }
        for one in configurations
    ]
