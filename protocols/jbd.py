"""JBD (Xiaoxiang, LLT Power, Overkill Solar) BMS over CAN: answers to a host that asks.

11-bit identifiers, big endian; the question is an empty frame of the same identifier, the answer
has 8 bytes of which the last two are CRC-16/MODBUS of the first six (polynomial 0xA001, start
0xFFFF, high byte first). Texts from 0x111 on have none. Here only read, whoever asks. Source:
sshoecraft/jbdtool, jbd_info.c; no CAN log was found, and the bit rate is not stated there. Some
firmware leaves the CRC zero; then the sum of the cells has to agree with the pack voltage. Positive
is charging. Newer boards can be set to the Victron layout, which has no cells.
"""

import numpy as np
from numpy.typing import NDArray

from protocols.alarm_words import flagged
from protocols.bytecheck import Ints, judged, like_cells, payloads, word, written
from protocols.contract import Evidence, Example, Poll, Protocol
from protocols.frames import Frames
from protocols.roles import Binding, Mapping, Role
from protocols.shorthand import big, cell, flag, letters, pack_bindings, probe
from protocols.signals import Database, Message, Signal

CELLS = 30
PROBES = 6
_FIRST_CELLS = 0x107
_LAST_CHECKED = 0x110
_PER_FRAME = 3
_WHY = "JBD protocol"

PROTECTIONS = (
    "Cell_Overvoltage",
    "Cell_Undervoltage",
    "Pack_Overvoltage",
    "Pack_Undervoltage",
    "Charge_Overtemperature",
    "Charge_Undertemperature",
    "Discharge_Overtemperature",
    "Discharge_Undertemperature",
    "Charge_Overcurrent",
    "Discharge_Overcurrent",
    "Short_Circuit",
    "Front_End_Failed",
    "Switches_Locked",
)


def _bit(name: str, byte: int, number: int) -> Signal:
    """Bit `number` of a big-endian word that begins at `byte`."""
    return flag(name, byte + 1 - number // 8, number % 8)


def _messages() -> tuple[Message, ...]:
    crc = big("CRC", 6, 16)
    listed = [
        Message(
            "Pack_Status",
            0x100,
            8,
            (
                big("Pack_Voltage", 0, 16, 0.01, "V"),
                big("Pack_Current", 2, 16, 0.01, "A", signed=True, comment="+ = charge"),
                big("Remaining_Capacity", 4, 16, 0.01, "Ah"),
                crc,
            ),
        ),
        Message(
            "Pack_Charge",
            0x101,
            8,
            (
                big("Full_Capacity", 0, 16, 0.01, "Ah"),
                big("Cycles", 2, 16),
                big("SOC", 4, 16, 1.0, "%"),
                crc,
            ),
        ),
        Message(
            "Balancing_And_Protection",
            0x102,
            8,
            (
                *(
                    _bit(f"Cell_{k + 1:02d}_Balancing", 0 if k < 16 else 2, k % 16)
                    for k in range(CELLS)
                ),
                *(_bit(name, 4, k) for k, name in enumerate(PROTECTIONS)),
                big("Protection", 4, 16),
                crc,
            ),
        ),
        Message(
            "Switches",
            0x103,
            8,
            (
                _bit("Charge_Switch_On", 0, 0),
                _bit("Discharge_Switch_On", 0, 1),
                big("Built_Year", 2, 7, 1.0, offset=2000.0),
                big("Built_Month", 2, 4, bit=0),
                big("Built_Day", 3, 5, bit=4),
                big("Software_Version", 4, 16),
                crc,
            ),
        ),
        Message("Pack_Layout", 0x104, 8, (big("Cells", 0, 8), big("Probes", 1, 8), crc)),
    ]
    for frame in range(PROBES // _PER_FRAME):
        probes = (
            big(f"Probe_{_PER_FRAME * frame + k + 1}", 2 * k, 16, 0.1, "degC", offset=-273.1)
            for k in range(_PER_FRAME)
        )
        listed.append(Message(f"Probes_{frame + 1}", 0x105 + frame, 8, (*probes, crc)))
    for frame in range(CELLS // _PER_FRAME):
        cells = (
            big(f"Cell_{_PER_FRAME * frame + k + 1:02d}", 2 * k, 16, 0.001, "V")
            for k in range(_PER_FRAME)
        )
        listed.append(Message(f"Cells_{frame + 1}", _FIRST_CELLS + frame, 8, (*cells, crc)))
    for part in range(4):
        listed.append(Message(f"Model_{part + 1}", 0x111 + part, 8, letters("Model", 0, 8)))
    return tuple(listed)


DATABASE = Database("jbd", _messages())
_PACK = (
    ("Pack_Status", "Pack_Voltage", "voltage", 1.0),
    ("Pack_Status", "Pack_Current", "current", -1.0),
    ("Pack_Status", "Remaining_Capacity", "remaining_ah", 1.0),
    ("Pack_Charge", "Full_Capacity", "full_ah", 1.0),
    ("Pack_Charge", "Cycles", "cycles", 1.0),
    ("Pack_Charge", "SOC", "soc", 0.01),
    ("Balancing_And_Protection", "Protection", "fault", 1.0),
    ("Pack_Layout", "Cells", "cell_count", 1.0),
)


def _mapping(cells: int, probes: int) -> Mapping:
    found: list[Binding] = pack_bindings(_WHY, _PACK)
    for k in range(cells):
        number = k + 1
        found.append(cell(f"Cells_{k // _PER_FRAME + 1}", f"Cell_{number:02d}", number, _WHY))
        name, role = f"Cell_{number:02d}_Balancing", Role("balancing", number)
        found.append(Binding("Balancing_And_Protection", name, role, why=_WHY))
    for k in range(probes):
        found.append(probe(f"Probes_{k // _PER_FRAME + 1}", f"Probe_{k + 1}", k + 1, _WHY))
    alarms = flagged(DATABASE.messages, ("Balancing_And_Protection",))
    return Mapping("jbd", tuple(found), sign="+charge", alarms=alarms)


def specialise(frames: Frames) -> tuple[Database, Mapping] | None:
    """Only the cells and probes that 0x104 counts, once it has been seen."""
    layout = payloads(frames, 0x104)
    if not len(layout):
        return None
    cells, probes = layout[-1, :2].tolist()
    if not 1 <= cells <= CELLS:
        return None
    return DATABASE, _mapping(cells, min(probes, PROBES))


def _crc(rows: Ints) -> Ints:
    """CRC-16/MODBUS of the first six bytes of each row."""
    crc: NDArray[np.int64] = np.full(len(rows), 0xFFFF, np.int64)
    for byte in range(6):
        crc ^= rows[:, byte]
        for _ in range(8):
            crc = np.where(crc & 1, (crc >> 1) ^ 0xA001, crc >> 1)
    return crc


def verify(frames: Frames) -> Evidence:
    """CRC of every answer; where the firmware leaves it zero, sum of the cells = pack voltage."""
    right = checked = zero = 0
    for frame_id in range(0x100, _LAST_CHECKED + 1):
        rows = payloads(frames, frame_id)
        given = word(rows, 6)
        zero += int(np.sum(given == 0))
        there = rows[given != 0]
        right += int(np.sum(_crc(there) == word(there, 6)))
        checked += len(there)
    if checked >= zero:
        return judged(right, checked, "checksums")
    return _sum_of_cells(frames)


def _sum_of_cells(frames: Frames) -> Evidence:
    """Without checksums: every value a cell, and their sum the pack voltage."""
    status = payloads(frames, 0x100)
    total_v = 0.0
    right = checked = 0
    for frame_id in range(_FIRST_CELLS, _LAST_CHECKED + 1):
        rows = payloads(frames, frame_id)
        for k in range(_PER_FRAME):
            volts = word(rows, 2 * k) / 1000.0
            total_v += float(volts[-1]) if len(volts) else 0.0
            volts = volts[volts > 0.0]
            fit, of = like_cells(np.zeros(len(volts), np.int64), volts)
            right, checked = right + fit, checked + of
    if not len(status) or not checked:
        return Evidence(0.0, "no checksum, and no pack voltage beside cells")
    pack_v = float(np.median(word(status, 0))) / 100.0
    agrees = abs(pack_v - total_v) < 0.02 * pack_v
    score = agrees * right / checked
    return Evidence(
        score, f"no checksums; cells make {total_v:.2f} V, the pack says {pack_v:.2f} V"
    )


def _poll(frame_id: int, period_s: float) -> Poll:
    return Poll(frame_id, False, b"", period_s, frame_id, isotp=False)


# More cells than it has are asked for: the BMS answers with zeros or not at all.
_POLLS = (
    _poll(0x100, 0.5),
    *(_poll(frame_id, 1.0) for frame_id in range(_FIRST_CELLS, _LAST_CHECKED + 1)),
    *(_poll(frame_id, 2.0) for frame_id in (0x101, 0x102, 0x105, 0x106)),
    *(_poll(frame_id, 10.0) for frame_id in (0x103, 0x104)),
)
_EXAMPLES = (
    # 53.2 V, 20.48 A flowing out, 100 Ah left
    Example(
        0x100,
        False,
        bytes.fromhex("14c8f800271083c9"),
        {"pack.voltage": 53.2, "pack.current": 20.48, "pack.remaining_ah": 100.0},
    ),
    Example(
        0x101,
        False,
        bytes.fromhex("4e20002a00490c6e"),
        {"pack.full_ah": 200.0, "pack.cycles": 42.0, "pack.soc": 0.73},
    ),
    # cells 1 and 12 are being balanced; a cell and the pack are too high
    Example(
        0x102,
        False,
        bytes.fromhex("08010000000590fc"),
        {
            **{f"balancing.{n}": float(n in (1, 12)) for n in range(1, CELLS + 1)},
            "pack.fault": 5.0,
        },
    ),
    Example(0x104, False, bytes.fromhex("0e0200000000f578"), {"pack.cell_count": 14.0}),
    # two probes of 25.0 and 26.0 degC; the third place reads absolute zero
    Example(0x105, False, bytes.fromhex("0ba50baf00007c7f"), {"probe.1": 25.0, "probe.2": 26.0}),
    Example(
        0x107,
        False,
        bytes.fromhex("0cd40cd50cd6f3a6"),
        {"cell.1.voltage": 3.284, "cell.2.voltage": 3.285, "cell.3.voltage": 3.286},
    ),
    # cells 13 and 14 of 14
    Example(
        0x10B,
        False,
        bytes.fromhex("0cd70cd80000aef7"),
        {"cell.13.voltage": 3.287, "cell.14.voltage": 3.288},
    ),
)


def identity(frames: Frames) -> dict[str, str]:
    """Model as text, software version as the number it is sent as."""
    version = payloads(frames, 0x103)
    firmware = f"0x{int(word(version, 4)[-1]):04X}" if len(version) else ""
    return {"model": written(frames, 0x111, 0x112, 0x113, 0x114), "firmware": firmware}


PROTOCOL = Protocol(
    name="jbd",
    identity=identity,
    title="JBD / Xiaoxiang BMS",
    database=DATABASE,
    mapping=_mapping(CELLS, PROBES),
    bitrates=(500_000, 250_000),
    source_confidence="Read in one public tool that talks to it; no real capture was available.",
    required=("Pack_Status", "Cells_1"),
    examples=_EXAMPLES,
    verify=verify,
    specialise=specialise,
    polls=_POLLS,
)
