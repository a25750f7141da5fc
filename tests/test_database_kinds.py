"""Databases that are no DBC, messages longer than a frame, Chinese files: all become one thing."""

from pathlib import Path

import cantools.database
import numpy as np
import pytest

from protocols.dbc import DatabaseError, kind_of, load_database, parse_database
from protocols.frames import EXTENDED, Frames, empty_frames
from protocols.isotp import segment
from protocols.j1939 import packets
from protocols.mapping import map_database
from protocols.polled import Decoder
from protocols.roles import PACK_FIELDS

HEAD = 'VERSION ""\nNS_ :\nBS_:\nBU_: B\n'
FIELDS = [field.name for field in PACK_FIELDS]
CELLS = HEAD + (
    'BO_ 291 Cells: 8 B\n SG_ Cell_1_Voltage : 0|16@1+ (0.001,0) [0|5] "V" B\n'
    ' SG_ Cell_2_Voltage : 23|16@0+ (0.001,0) [0|5] "V" B\n'
    'BO_ 2566844932 Status: 8 B\n SG_ Pack_Current : 0|16@1- (0.1,-100) [0|0] "A" B\n'
)


def in_format(kind: str) -> str:
    known = cantools.database.load_string(CELLS, "dbc")
    return str(known.as_kcd_string() if kind == "kcd" else known.as_sym_string())


def frames_of(rows: list[tuple[int, bytes]]) -> Frames:
    frames = empty_frames(len(rows))
    for k, (frame_id, data) in enumerate(rows):
        frames.time[k], frames.id[k], frames.length[k] = k * 1_000_000, frame_id, len(data)
        frames.flags[k] = EXTENDED if frame_id > 0x7FF else 0
        frames.data[k, : len(data)] = np.frombuffer(data, np.uint8)
    return frames


@pytest.mark.parametrize("kind", ["kcd", "sym"])
@pytest.mark.parametrize("suffix", ["", ".dbc", ".txt"])
def test_kcd_and_sym_say_the_same_as_the_dbc_whatever_they_are_called(
    tmp_path: Path, kind: str, suffix: str
) -> None:
    path = tmp_path / f"pack{suffix or '.' + kind}"
    path.write_text(in_format(kind), "utf-8")
    assert kind_of(path.read_text("utf-8")) == kind
    database, dbc = load_database(path), parse_database("pack.dbc", CELLS)
    for message in dbc.messages:
        other = database.message(message.name)
        assert (other.id, other.extended) == (message.id, message.extended)
        for signal in message.signals:
            same = other.signal(signal.name)
            assert (same.start, same.length, same.little_endian, same.signed) == (
                signal.start,
                signal.length,
                signal.little_endian,
                signal.signed,
            )
            assert (same.scale, same.offset, same.unit) == (
                signal.scale,
                signal.offset,
                signal.unit,
            )
    roles = {str(b.role) for b in map_database([database]).bindings}
    assert roles == {"cell.1.voltage", "cell.2.voltage", "pack.current"}


def element(tag: str, *inner: str, **attributes: str) -> str:
    words = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f"<{tag}{words}>{''.join(inner)}</{tag}>"


def arxml() -> str:
    """One classic frame of one cell, in the fewest words of AUTOSAR 4."""

    def named(tag: str, name: str, *inner: str) -> str:
        return element(tag, element("SHORT-NAME", name), *inner)

    def package(name: str, *elements: str) -> str:
        return named("AR-PACKAGE", name, element("ELEMENTS", *elements))

    def ref(tag: str, dest: str, path: str) -> str:
        return element(tag, path, DEST=dest)

    scale = element(
        "COMPU-SCALE",
        element(
            "COMPU-RATIONAL-COEFFS",
            element("COMPU-NUMERATOR", element("V", "0"), element("V", "0.001")),
            element("COMPU-DENOMINATOR", element("V", "1")),
        ),
    )
    method = named(
        "COMPU-METHOD",
        "Millivolt",
        element("CATEGORY", "LINEAR"),
        ref("UNIT-REF", "UNIT", "/Units/V"),
        element("COMPU-INTERNAL-TO-PHYS", element("COMPU-SCALES", scale)),
    )
    properties = element(
        "PHYSICAL-PROPS",
        element(
            "SW-DATA-DEF-PROPS-VARIANTS",
            element(
                "SW-DATA-DEF-PROPS-CONDITIONAL",
                ref("COMPU-METHOD-REF", "COMPU-METHOD", "/Methods/Millivolt"),
                ref("UNIT-REF", "UNIT", "/Units/V"),
            ),
        ),
    )
    mapping = named(
        "I-SIGNAL-TO-I-PDU-MAPPING",
        "Map",
        ref("I-SIGNAL-REF", "I-SIGNAL", "/Signals/Cell_1_Voltage"),
        element("PACKING-BYTE-ORDER", "MOST-SIGNIFICANT-BYTE-LAST"),
        element("START-POSITION", "16"),
    )
    pdu = named(
        "I-SIGNAL-I-PDU",
        "CellPdu",
        element("LENGTH", "8"),
        element("I-SIGNAL-TO-PDU-MAPPINGS", mapping),
    )
    frame = named(
        "CAN-FRAME",
        "Cells",
        element("FRAME-LENGTH", "8"),
        element(
            "PDU-TO-FRAME-MAPPINGS",
            named(
                "PDU-TO-FRAME-MAPPING",
                "Put",
                element("PACKING-BYTE-ORDER", "MOST-SIGNIFICANT-BYTE-LAST"),
                ref("PDU-REF", "I-SIGNAL-I-PDU", "/Pdus/CellPdu"),
                element("START-POSITION", "0"),
            ),
        ),
    )
    triggering = named(
        "CAN-FRAME-TRIGGERING",
        "Trigger",
        ref("FRAME-REF", "CAN-FRAME", "/Frames/Cells"),
        element("CAN-ADDRESSING-MODE", "STANDARD"),
        element("IDENTIFIER", "291"),
    )
    channel = named("CAN-PHYSICAL-CHANNEL", "Channel", element("FRAME-TRIGGERINGS", triggering))
    cluster = named(
        "CAN-CLUSTER",
        "Bus",
        element(
            "CAN-CLUSTER-VARIANTS",
            element("CAN-CLUSTER-CONDITIONAL", element("PHYSICAL-CHANNELS", channel)),
        ),
    )
    signal = named(
        "I-SIGNAL",
        "Cell_1_Voltage",
        element("LENGTH", "16"),
        ref("SYSTEM-SIGNAL-REF", "SYSTEM-SIGNAL", "/Systems/Cell_1_Voltage"),
    )
    packages = element(
        "AR-PACKAGES",
        package("Cluster", cluster),
        package("Frames", frame),
        package("Pdus", pdu),
        package("Signals", signal),
        package("Systems", named("SYSTEM-SIGNAL", "Cell_1_Voltage", properties)),
        package("Methods", method),
        package("Units", named("UNIT", "V", element("DISPLAY-NAME", "V"))),
    )
    place = "http://autosar.org/schema/r4.0"
    attributes = (
        f'xmlns="{place}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{place} AUTOSAR_00046.xsd"'
    )
    return f'<?xml version="1.0" encoding="UTF-8"?><AUTOSAR {attributes}>{packages}</AUTOSAR>'


def test_arxml_says_the_same() -> None:
    message = parse_database("bus.arxml", arxml()).message("Cells")
    signal = message.signal("Cell_1_Voltage")
    assert (message.id, message.length) == (291, 8)
    assert (signal.start, signal.length, signal.scale, signal.unit) == (16, 16, 0.001, "V")


def test_entities_in_xml_are_refused_before_anything_is_expanded() -> None:
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
        '<!ENTITY b "&a;&a;&a;&a;&a;&a;">]><NetworkDefinition>&b;</NetworkDefinition>'
    )
    with pytest.raises(DatabaseError, match=r"x\.kcd defines entities"):
        parse_database("x.kcd", bomb)


def test_damaged_xml_is_one_sentence() -> None:
    with pytest.raises(DatabaseError, match=r"x\.kcd is not a usable KCD"):
        parse_database("x.kcd", "<NetworkDefinition><Bus>")


def test_a_chinese_dbc_in_its_usual_encoding_reads_right(tmp_path: Path) -> None:
    path = tmp_path / "c.dbc"
    text = HEAD + (
        'BO_ 9 BMS: 8 B\n SG_ State : 0|8@1+ (1,0) [0|0] "" B\n'
        'CM_ SG_ 9 State "电池状态";\nVAL_ 9 State 0 "静置" 1 "充电" ;\n'
    )
    path.write_bytes(text.encode("gb2312"))
    signal = load_database(path).message("BMS").signal("State")
    assert (signal.comment, signal.choices[1]) == ("电池状态", "充电")


# --- what no frame holds ---------------------------------------------------------------------

UDS = HEAD + (
    "BO_ 2028 Battery_Answer: 61 B\n"
    ' SG_ service M : 7|8@0+ (1,0) [0|255] "" B\n'
    ' SG_ did m98M : 15|16@0+ (1,0) [0|65535] "" B\n'
    ' SG_ StateOfChargeBMS m257 : 63|8@0+ (0.5,0) [0|100] "%" B\n'
    ' SG_ BatteryCurrent m257 : 103|16@0- (0.1,0) [0|0] "A" B\n'
    ' SG_ BatteryDCVoltage m257 : 119|16@0+ (0.1,0) [0|0] "V" B\n'
)
UDS += "".join(
    f' SG_ CellVoltage{k + 1:02d} m258 : {8 * (7 + k) + 7}|8@0+ (0.02,0) [0|5] "V" B\n'
    for k in range(32)
)
UDS += (
    "".join(
        f"SG_MUL_VAL_ 2028 {name} did {did}-{did};\n"
        for did, names in (
            (257, ["StateOfChargeBMS", "BatteryCurrent", "BatteryDCVoltage"]),
            (258, [f"CellVoltage{k + 1:02d}" for k in range(32)]),
        )
        for name in names
    )
    + "SG_MUL_VAL_ 2028 did service 98-98;\n"
)


def answers() -> list[bytes]:
    first = bytearray(61)
    first[:3], first[7] = bytes.fromhex("620101"), 97
    first[12:14], first[14:16] = (-125).to_bytes(2, "big", signed=True), (1152).to_bytes(2, "big")
    cells = bytes.fromhex("620102") + bytes(4) + bytes([180 + k % 3 for k in range(32)]) + bytes(2)
    return [bytes(first), cells]


def test_a_dbc_that_describes_answers_over_isotp_gives_its_cells() -> None:
    database = parse_database("uds.dbc", UDS)
    assert database.messages == ()
    (transfer,) = database.transfers
    assert (transfer.transport, transfer.message.length) == ("isotp", 61)
    rows = [(0x7EC, data) for _ in range(3) for a in answers() for data in segment(a)]
    frames = frames_of(rows)
    mapping = map_database([database], frames)
    samples = Decoder([database], mapping).push(frames)
    _, index, value = samples.group(0)
    newest = dict(zip(index.tolist(), value.tolist(), strict=True))
    assert [newest[k] for k in range(32)] == pytest.approx(
        [3.6 + 0.02 * (k % 3) for k in range(32)]
    )
    _, index, value = samples.group(3)
    pack = {FIELDS[i]: v for i, v in zip(index.tolist(), value.tolist(), strict=True)}
    assert pack == pytest.approx({"soc": 0.485, "current": -12.5, "voltage": 115.2})
    assert mapping.confidence > 0.7


def test_a_j1939_message_of_a_dbc_is_read_from_its_packets_whoever_sends_it() -> None:
    listed = "".join(
        f' SG_ Cell_{k + 1}_Voltage : {16 * k}|16@1+ (0.001,0) [0|0] "V" B\n' for k in range(8)
    )
    text = HEAD + f"BO_ {0x98FF42FE} Cell_Voltages: 17 B\n{listed}"
    database = parse_database("truck.dbc", text)
    (transfer,) = database.transfers
    assert transfer.transport == "j1939"
    payload = b"".join((3300 + k).to_bytes(2, "little") for k in range(8)) + b"\0"
    frames = frames_of([f for _ in range(3) for f in packets(0x1CFF42F3, payload, broadcast=True)])
    mapping = map_database([database], frames)
    _, index, value = Decoder([database], mapping).push(frames).group(0)
    assert dict(zip(index.tolist(), value.tolist(), strict=True)) == pytest.approx(
        {k: 3.3 + 0.001 * k for k in range(8)}
    )


def test_defects_that_are_read_over_are_still_told() -> None:
    text = HEAD + (
        'BO_ 9 A: 4 B\n SG_ One : 0|16@1+ (1,0) [0|0] "" B\n SG_ Two : 8|16@1+ (1,0) [0|0] "" B\n'
        ' SG_ Late : 32|8@1+ (1,0) [0|0] "" B\n SG_ One : 24|8@1+ (1,0) [0|0] "" B\n'
    )
    told = "\n".join(parse_database("a.dbc", text).repairs)
    assert "signals that share bits kept: A.Two with One" in told
    assert "signals beyond the length of their message kept: A.Late" in told
    assert "names that occur twice in a message numbered: A.One" in told


def test_a_container_frame_is_left_out_by_name() -> None:
    from cantools.database.can import Message as Parsed

    from protocols.parsed import converted

    part = Parsed(0, "CellPdu", 8, [], header_id=0x17)
    whole = Parsed(0x123, "Container", 64, [], is_fd=True, contained_messages=[part])
    plain = Parsed(0x124, "Plain", 8, [])
    notes: list[str] = []
    messages, carried = converted([whole, plain], notes)
    assert [m.name for m in messages] == ["Plain"]
    assert not carried
    assert notes == ["container frames left out, whose parts lie anywhere in them: Container"]
