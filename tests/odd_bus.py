"""The bus of a made-up BMS: some names say nothing, and the current counts the wrong way."""

import numpy as np

from protocols.dbc import parse_database
from protocols.encode import encode
from protocols.frames import Frames, concatenate, empty_frames
from protocols.signals import Database, Message

START_NS = 1_700_000_000_000_000_000
TEXT = """VERSION ""
BS_:
BU_: B
BO_ 256 Cells: 8 B
 SG_ Cell_1_Voltage : 0|16@1+ (1,0) [0|5000] "mV" B
 SG_ Cell_2_Voltage : 16|16@1+ (1,0) [0|5000] "mV" B
 SG_ Cell_3_Voltage : 32|16@1+ (1,0) [0|5000] "mV" B
 SG_ Alpha : 48|16@1+ (1,0) [0|5000] "mV" B
BO_ 257 Pack: 8 B
 SG_ Pack_Voltage : 0|16@1+ (0.01,0) [0|100] "V" B
 SG_ Pack_Current : 16|16@1- (0.01,0) [-300|300] "A" B
 SG_ Warmth : 32|16@1+ (0.1,0) [0|500] "K" B
 SG_ Level : 48|8@1+ (1,0) [0|100] "%" B
"""
NAMELESS = """VERSION ""
BS_:
BU_: B
BO_ 256 X1: 8 B
 SG_ Alpha : 0|16@1+ (1,0) [0|5000] "mV" B
 SG_ Beta : 16|16@1+ (0.001,0) [0|5] "V" B
"""
INDEXED = """VERSION ""
BS_:
BU_: B
BO_ 512 Cell: 8 B
 SG_ Cell_Index : 0|8@1+ (1,0) [0|0] "" B
 SG_ Cell_Voltage : 8|16@1+ (1,0) [0|5000] "mV" B
"""


def odd_database(text: str = TEXT) -> Database:
    return parse_database("odd.dbc", text)


def frame(message: Message, time_ns: int, **values: float) -> Frames:
    made = empty_frames(1)
    data = encode(message, values)
    made.time[0], made.id[0], made.length[0] = time_ns, message.id, len(data)
    made.data[0, : len(data)] = np.frombuffer(data, np.uint8)
    return made


def odd_frames(seconds: float, start_ns: int = START_NS) -> Frames:
    """Ten rounds a second; every second the discharge steps by 10 A and the cells sag.

    On the wire the current counts + = charge, which the database does not say.
    """
    cells, pack = odd_database().messages
    blocks = []
    for k in range(round(seconds * 10)):
        discharge_a = 10.0 * (k // 10 % 2)
        volts = [3.7 + 0.001 * n - 0.004 * discharge_a for n in range(4)]
        at = start_ns + k * 100_000_000
        named = {f"Cell_{n + 1}_Voltage": 1000 * volts[n] for n in range(3)}
        blocks.append(frame(cells, at, Alpha=1000 * volts[3], **named))
        blocks.append(
            frame(
                pack,
                at + 1_000_000,
                Pack_Voltage=sum(volts[:3]),
                Pack_Current=-discharge_a,
                Warmth=298.2,
                Level=80,
            )
        )
    return concatenate(blocks)


def nameless_frames(seconds: float) -> Frames:
    (message,) = odd_database(NAMELESS).messages
    return concatenate(
        [
            frame(message, START_NS + k * 100_000_000, Alpha=3701, Beta=3.702)
            for k in range(round(seconds * 10))
        ]
    )
