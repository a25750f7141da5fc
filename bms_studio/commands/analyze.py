"""`analyze`: estimate and judge every cell of a recording; the result is kept in the file."""

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from bms_studio.commands import DONE, UNREADABLE, CommandError, say
from bms_studio.commands.options import Progress, clear_errors

if TYPE_CHECKING:
    from bms_studio.analysis.contract import Settings
    from bms_studio.pack.profile import Profile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """REC.h5, --profile, --json, and what the analysis may be told."""
    parser.add_argument("recording", metavar="REC.h5")
    parser.add_argument("--profile", default="", metavar="P.toml", help="what the pack is")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    group = parser.add_argument_group("what is known (default: the profile, the BMS, the data)")
    group.add_argument("--chemistry", default="", metavar="NAME", help="NMC, NCA, LFP, LCO, …")
    group.add_argument("--capacity-ah", type=float, default=math.nan, metavar="AH", help="rated")
    group.add_argument("--ocv", default="", metavar="CSV", help="own table: soc, ocv_v")
    group.add_argument("--name", default="", help="what this analysis is called")


def run(options: argparse.Namespace) -> int:
    """Analyse, write the analysis into the recording, and print it."""
    from bms_studio.analysis.document import document, lines
    from bms_studio.analysis.recorded import analyse_recording, profile_of, serial_of, start_of
    from bms_studio.analysis.store import parts_of
    from bms_studio.history import earlier, keep
    from recordings.analyses import add_analyses
    from recordings.reader import Recording

    settings, profile = _settings(options), _profile(options)
    with clear_errors():
        recording = Recording(Path(options.recording))
        simulated = recording.attributes.source == "simulated"
        serial = serial_of(recording) or (profile or profile_of(recording)).serial
        history = earlier(serial, start_of(recording), simulated=simulated)
        done = analyse_recording(
            recording, settings, profile, progress=Progress("analysing"), history=history
        )
        packs = {n: parts_of(done.run, n, told.labels) for n, told in done.run.packs.items()}
        if packs:
            number = add_analyses(recording.path, packs, progress=Progress("writing"))
            say(f"analysis {number} is kept in {recording.path}")
            first = done.run.packs.get(1)
            if first is not None:
                code = first.verdict.code if first.verdict else ""
                uuid = recording.attributes.uuid
                keep(first.health, code, recording.path.name, uuid, simulated=simulated)
        else:
            say(f"{recording.path} holds nothing that can be analysed")
    from bms_studio.analysis.runs import PackRun

    done.run.packs.setdefault(1, PackRun())
    told = [a for n in sorted(done.run.packs) if (a := done.run.analysis(n)) is not None]
    if options.json:
        print(json.dumps(document(told), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(lines(told)))
    return DONE


def _settings(options: argparse.Namespace) -> "Settings":
    from bms_studio.analysis.basis import Known, settle
    from bms_studio.analysis.contract import Settings
    from bms_studio.commands import USAGE
    from bms_studio.pack.profile import Profile

    ocv = ""
    if options.ocv:
        try:
            ocv = Path(options.ocv).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as problem:
            raise CommandError(f"{options.ocv}: {problem}", UNREADABLE) from None
    settings = Settings(options.name, options.chemistry, ocv, options.capacity_ah)
    try:
        settle(settings, Profile(), Known())
    except ValueError as problem:
        raise CommandError(str(problem), USAGE) from None
    return settings


def _profile(options: argparse.Namespace) -> "Profile | None":
    from bms_studio.pack.profile import ProfileError, load_profile

    if not options.profile:
        return None
    try:
        return load_profile(Path(options.profile))
    except ProfileError as problem:
        raise CommandError(str(problem), UNREADABLE) from None
