"""Good files of every kind that a stranger can send: what `hostile.py` mutates.

Written anew for each run, small, and each accepted as it is (the first thing that is checked).
"""

import gzip
import io
import sys
import zipfile
from pathlib import Path

import can
import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from log_writers import WRITERS
from test_database_kinds import arxml

from bms_studio.pack.chemistry import load_chemistry
from bms_studio.simulator.simulation import generate
from protocols.frames import FD, Frames, concatenate
from recordings.formats import FORMATS, write_log
from recordings.journal import JournalWriter
from recordings.layout import RecordingAttributes
from recordings.writer import RecordingWriter

DBC = """VERSION ""
NS_ :
BS_:
BU_: BMS TOOL
BO_ 849 CellVoltages1: 8 BMS
 SG_ CellMux M : 0|8@1+ (1,0) [0|255] "" TOOL
 SG_ Cell01_Voltage m0 : 8|16@1+ (0.001,0) [0|65.535] "V" TOOL
 SG_ Cell02_Voltage m0 : 24|16@1+ (0.001,0) [0|65.535] "V" TOOL
 SG_ Cell03_Voltage m1 : 8|16@1+ (0.001,0) [0|65.535] "V" TOOL
BO_ 2566869221 PackStatus: 8 BMS
 SG_ Pack_Current : 7|16@0- (0.1,-3200) [-3200|3353.5] "A" TOOL
 SG_ Pack_Voltage : 23|16@0+ (0.1,0) [0|6553.5] "V" TOOL
 SG_ Temp_1 : 39|8@0+ (1,-40) [-40|215] "degC" TOOL
CM_ SG_ 849 Cell01_Voltage "first cell";
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 65535;
BA_ "GenMsgCycleTime" BO_ 849 100;
VAL_ 849 CellMux 0 "first" 1 "second" ;
SIG_VALTYPE_ 849 Cell03_Voltage : 0;
SG_MUL_VAL_ 849 Cell01_Voltage CellMux 0-0, 4-9;
"""
KCD = """<?xml version="1.0" encoding="UTF-8"?>
<NetworkDefinition xmlns="http://kayak.2codeornot2code.org/1.0">
 <Document name="pack"/>
 <Node id="1" name="BMS"/>
 <Bus name="battery">
  <Message id="0x351" length="8" name="Cells">
   <Producer><NodeRef id="1"/></Producer>
   <Signal endianess="little" length="16" name="Cell1Voltage" offset="0">
    <Value intercept="0" slope="0.001" unit="V" min="0" max="5"/>
   </Signal>
   <Signal endianess="big" length="16" name="Cell2Voltage" offset="23">
    <Value slope="0.001" unit="V"/>
   </Signal>
   <Multiplex name="mux" offset="48" length="8">
    <MuxGroup count="0"><Signal name="Temp1" offset="56" length="8"/></MuxGroup>
   </Multiplex>
  </Message>
 </Bus>
</NetworkDefinition>
"""
SYM = """FormatVersion=6.0 // Do not edit this line!
Title="pack"

{ENUMS}
Enum=State(0="off", 1="on")

{SIGNALS}
Sig=Cell1 unsigned 16 /u:V /f:0.001 /o:0
Sig=Cell2 unsigned 16 -m /u:V /f:0.001
Sig=Mode unsigned 8 /e:State

{SENDRECEIVE}

[Cells]
ID=351h
Len=8
Sig=Cell1 0
Sig=Cell2 16
Sig=Mode 32
"""
PROFILE = """[pack]
name = "Scooter"
serial = "A-17"
series = 4
parallel = 2
chemistry = "NMC"
capacity_ah = 31.5
labels = ["A1", "A2", "A3", "A4"]
probes = [{label = "NTC1", cells = [1, 2]}, {label = "NTC2", cells = [3, 4]}]
layout = [[1, 2], [4, 3]]
[limits]
cell_voltage_min = 3.0
cell_voltage_max = 4.2
[protocol]
dbc = ["pack.dbc"]
current_sign = "+discharge"
first_cell = 0
[mapping]
"CellVoltages1.Cell01_Voltage" = "cell.1.voltage"
"PackStatus.Pack_Current" = "pack.current"
[adapter]
interface = "slcan"
channel = "COM5"
bitrate = 500000
mode = "listen"
"""


def bus() -> Frames:
    """A scooter's pack, half a second of it."""
    return concatenate(list(generate(0.5, 6, rate_hz=20)))


def table() -> bytes:
    """A table of samples as telematics write it."""
    head = "Time,V_1,V_2,V_3,T_1,Pack Voltage,Pack Current,SOC,Latitude,Longitude,Odometer,Warning"
    rows = [
        f"2024-05-{1 + k // 24:02d} {k % 24:02d}:00:00+08:00,3.9{k % 10},3.91,3.89,{20 + k % 5},"
        f"11.7,{k % 7},{50 + k % 3} %,52.1,13.{k:03d},{1000 + k},"
        + ("low cell" if k % 40 == 9 else "")
        for k in range(120)
    ]
    return "\n".join((head, *rows, "")).encode()


def _zip(content: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ride.csv", content)
        archive.writestr("note.txt", b"Time,V_1\n")
    return held.getvalue()


def _log(folder: Path, name: str, frames: Frames) -> bytes:
    path = folder / f"seed-{name}"
    write_log(path, [frames], name, ("can0",))
    return path.read_bytes()


def _trc(folder: Path, frames: Frames) -> bytes:
    path = folder / "seed.trc"
    with can.TRCWriter(str(path)) as writer:
        for k in range(len(frames)):
            data = frames.data[k, : frames.length[k]].tobytes()
            number, stamp = int(frames.id[k]), frames.time[k] / 1e9
            writer.on_message_received(
                can.Message(timestamp=stamp, arbitration_id=number, is_extended_id=False, data=data)
            )
    return path.read_bytes()


def _canhacker(frames: Frames) -> bytes:
    lines = ["@ TEXT @ 3 @ 64 @ 0 @ 9 @ 9 @ 00:00:09.000 @"]
    for k in range(len(frames)):
        micro = int(frames.time[k] - frames.time[0]) // 1000
        data = frames.data[k, : frames.length[k]].tobytes().hex(" ").upper()
        head = f"{micro // 10**6},{micro % 10**6:06d}\t1\t00000004\t{frames.id[k]:03X}"
        lines.append(f"{head}\t{frames.length[k]}\t{data}\t00000000\t")
    return "\r\n".join((*lines, "")).encode()


def _recording(folder: Path, frames: Frames) -> bytes:
    path = folder / "seed.h5"
    time = np.arange(400, dtype=np.int64) * 10**8 + 10**18
    attributes = RecordingAttributes("import", databases=(("pack.dbc", DBC),), profile=PROFILE)
    with RecordingWriter(path, attributes) as writer:
        writer.frames(frames)
        writer.rows("/cells", time, {"voltage": np.full((400, 4), 3.7, np.float32)})
        writer.rows("/pack", time, {"voltage": np.full(400, 14.8), "current": np.ones(400)})
        writer.event(10**18, "connect", "hello")
        writer.close()
    return path.read_bytes()


def _journal(folder: Path, frames: Frames) -> bytes:
    """All files of a journal, as a zip: mutated one by one."""
    place = folder / "seed-journal"
    writer = JournalWriter(place, {"profile": PROFILE, "databases": [["pack.dbc", DBC]]})
    writer.append(frames)
    writer.event(10**18, "mark", "hello", {})
    writer.flush()
    writer.close()
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for path in sorted(place.iterdir()):
            if path.is_file() and path.suffix != ".lock":
                archive.writestr(path.name, path.read_bytes())
    return held.getvalue()


def seeds(folder: Path) -> dict[str, list[bytes]]:
    """Kind -> the good files of that kind."""
    frames = bus()
    fd = Frames(*(getattr(frames, n).copy() for n in Frames.__dataclass_fields__))
    fd.flags[::3] |= FD
    chemistry = load_chemistry("NMC")
    ocv = "soc,ocv_v\n" + "".join(
        f"{s:.2f},{v:.4f}\n" for s, v in zip(np.linspace(0, 1, 101), chemistry.ocv_v, strict=True)
    )
    found: dict[str, list[bytes]] = {}
    for name, known in FORMATS.items():
        if name == "mdf":
            continue  # asammdf unpacks it, an extra
        if known.write is not None:
            blocks = [frames] if name == "slcan" else [frames, fd]
            found[name] = [_log(folder, name, block) for block in blocks]
        elif name in WRITERS:
            found[name] = [WRITERS[name](frames)]
    found["trc"] = [_trc(folder, frames)]
    found["canhacker"] = [_canhacker(frames)]
    found["samples"] = [table(), table().replace(b",", b";").decode().encode("utf-16")]
    found["samples-packed"] = [gzip.compress(table()), _zip(table())]
    found["hdf5"] = [_recording(folder, frames)]
    found["dbc"] = [DBC.encode(), DBC.encode("utf-8-sig")]
    found["kcd"] = [KCD.encode()]
    found["sym"] = [SYM.encode("cp1252")]
    found["arxml"] = [arxml().encode()]
    found["profile"] = [PROFILE.encode()]
    found["ocv"] = [ocv.encode()]
    found["journal"] = [_journal(folder, frames)]
    return found
