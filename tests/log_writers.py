"""Logs as other tools write them, for the formats that the program only reads.

Each function takes frames and gives the file's content; written from the formats' descriptions, so
that a reader is not tested against its own mistakes.
"""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from protocols.frames import EXTENDED, REMOTE, TRANSMITTED, Frames


def _rows(frames: Frames) -> Iterator[tuple[int, int, int, bytes]]:
    """(time in us, id, flags, payload) of every frame."""
    for k in range(len(frames)):
        payload = frames.data[k, : frames.length[k]].tobytes()
        yield int(frames.time[k]) // 1000, int(frames.id[k]), int(frames.flags[k]), payload


def _id(identifier: int, flags: int) -> str:
    return f"{identifier:08X}" if flags & EXTENDED else f"{identifier:03X}"


def candump_plain(frames: Frames) -> bytes:
    """`candump -t a`."""
    lines = []
    for micro, identifier, flags, payload in _rows(frames):
        stamp = f"({micro // 1_000_000}.{micro % 1_000_000:06d})"
        size = f"[{len(payload):02d}]" if len(payload) > 8 else f"[{len(payload)}]"
        data = "remote request" if flags & REMOTE else payload.hex(" ").upper()
        lines.append(f" {stamp}  can0  {_id(identifier, flags):>8}   {size}  {data}".rstrip())
    return ("\n".join(lines) + "\n").encode()


def gvret(frames: Frames) -> bytes:
    """SavvyCAN's native file."""
    lines = ["Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8"]
    for micro, identifier, flags, payload in _rows(frames):
        wide = "true" if flags & EXTENDED else "false"
        way = "Tx" if flags & TRANSMITTED else "Rx"
        data = "".join(f"{byte:02X}," for byte in payload)
        lines.append(f"{micro},{identifier:08X},{wide},{way},0,{len(payload)},{data}")
    return ("\n".join(lines) + "\n").encode()


def busmaster(frames: Frames) -> bytes:
    """System time, without the footer."""
    lines = [
        "***BUSMASTER Ver 3.2.2***",
        "***PROTOCOL CAN***",
        "***[START LOGGING SESSION]***",
        "***START DATE AND TIME 5:11:2025 20:44:5:149***",
        "***HEX***",
        "***SYSTEM MODE***",
        "***<Time><Tx/Rx><Channel><CAN ID><Type><DLC><DataBytes>***",
    ]
    for micro, identifier, flags, payload in _rows(frames):
        moment = datetime.fromtimestamp(micro // 1_000_000, UTC)
        clock = f"{moment:%H:%M:%S}:{micro % 1_000_000 // 100:04d}"
        kind = ("x" if flags & EXTENDED else "s") + ("r" if flags & REMOTE else "")
        way = "Tx" if flags & TRANSMITTED else "Rx"
        data = payload.hex(" ").upper()
        lines.append(f"{clock} {way} 1 0x{_id(identifier, flags)} {kind} {len(payload)} {data}")
    return ("\r\n".join(lines) + "\r\n").encode()


def crtd(frames: Frames) -> bytes:
    """Version 2, with the bus before the type."""
    lines = ["1542473901.020305 CXX Info Type:crtd; Path:'/sd/can3.crtd'; Filter:off;"]
    for micro, identifier, flags, payload in _rows(frames):
        kind = f"1{'T' if flags & TRANSMITTED else 'R'}{'29' if flags & EXTENDED else '11'}"
        stamp = f"{micro // 1_000_000}.{micro % 1_000_000:06d}"
        lines.append(f"{stamp} {kind} {identifier:x} {payload.hex(' ')}".rstrip())
    return ("\n".join(lines) + "\n").encode()


def battery_emulator(frames: Frames) -> bytes:
    lines = []
    for micro, identifier, flags, payload in _rows(frames):
        milli = micro // 1000 - int(frames.time[0]) // 1_000_000 + 5000
        way = "TX1" if flags & TRANSMITTED else "RX0"
        data = "".join(f" {byte:02X}" for byte in payload)
        lines.append(
            f"({milli // 1000}.{milli % 1000:03d}) {way} {_id(identifier, flags)} "
            f"[{len(payload)}]{data}"
        )
    return ("\n".join(lines) + "\n").encode()


def can_tester(frames: Frames) -> bytes:
    lines = ["ParserFlags\tCh\tCounter\tT/R\tTime\tFlags\tCAN ID\tLen\tData\tParser Name\tdefault"]
    for number, (micro, identifier, flags, payload) in enumerate(_rows(frames)):
        milli = (micro // 1000) % 10**9
        way = "TX" if flags & TRANSMITTED else "RX"
        data = "0x" + payload.hex(" ") + " " if payload else ""
        lines.append(
            f"1\t0\t{number}\t{way}\t{milli}\t\t0x{identifier:08x}\t{len(payload)}\t{data}"
            "\tDefault Parser\t"
        )
    return ("\n".join(lines) + "\n").encode()


def canhacker_text(frames: Frames) -> bytes:
    lines = ["Time   ID     DLC Data                    Comment"]
    for micro, identifier, flags, payload in _rows(frames):
        milli = micro // 1000 - int(frames.time[0]) // 1_000_000
        stamp = f"{milli // 1000:02d}.{milli % 1000:03d}"
        data = payload.hex(" ").upper()
        lines.append(f"{stamp} {_id(identifier, flags)} {len(payload)} {data} ")
    return ("\r\n".join(lines) + "\r\n").encode()


def frame_csv(frames: Frames) -> bytes:
    """As python-can's CSVWriter writes it."""
    lines = ["timestamp,arbitration_id,extended,remote,error,dlc,data"]
    for micro, identifier, flags, payload in _rows(frames):
        wide = int(bool(flags & EXTENDED))
        data = base64.b64encode(payload).decode()
        stamp = f"{micro // 10**6}.{micro % 10**6:06d}"
        lines.append(f"{stamp},{identifier:#x},{wide},0,0,{len(payload)},{data}")
    return ("\r\n".join(lines) + "\r\n").encode()


WRITERS: dict[str, Callable[[Frames], bytes]] = {
    "candump-plain": candump_plain,
    "gvret": gvret,
    "busmaster": busmaster,
    "crtd": crtd,
    "battery-emulator": battery_emulator,
    "can-tester": can_tester,
    "canhacker-text": canhacker_text,
    "frame-csv": frame_csv,
}
RESOLUTION_NS = {
    "busmaster": 100_000,
    "battery-emulator": 1_000_000,
    "can-tester": 1_000_000,
    "canhacker-text": 1_000_000,
}
