"""Signal names into words and numbers: the first half of finding out what a signal is.

A name is split at underscores, case changes, digits and known words ("cellvoltage12" is cell,
voltage, 12), and each word is replaced by the concept that it stands for. No judgement here.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from protocols.scripts import in_english
from protocols.signals import Message

_SPACE = re.compile(r"\s+")
_CONCEPTS = {
    "cell": (
        "cell cells brick bricks zelle zelln zell zellen cellule cel celda celdas cella celle "
        "monomer monomers danti dianxin tap taps"
    ),
    "voltage": (
        "voltage voltages volt volts spannung vtg vlt vltg mv vcell ucell tension voltag vol "
        "voltaje tensione tensao spanning celspanning dianya"
    ),
    "current": (
        "current currents curr amps ampere amperes amp strom crnt courant ibatt ibat corriente "
        "corrente dianliu"
    ),
    "temperature": (
        "temperature temperatures temp temps tempera tmp tempr temperatur temperatura degc celsius "
        "wendu"
    ),
    "probe": "probe probes sensor sensors",
    "thermistor": "ntc ntcs thermistor thermistors therm",
    "module": "module modules mod modul cmu cmc slave lmu segment afe ltc bmm csc",
    "pack": (
        "pack batt bat battery accumulator akku hvb hvbatt hvsto rechargeable vbatt vbat ubatt"
    ),
    "string": "string strings",
    "bms": "bms ams bmu lbc bcu becm ecu bps",
    "hv": "hv highvoltage traction",
    "total": "total overall sum tot gesamt",
    "soc": "soc stateofcharge chargestate usoc",
    "soh": "soh stateofhealth health",
    "balancing": (
        "bal balance balancing balanced balancer shunt shunting shunts bypass bleed "
        "bleeding equalize equalizing equalisation equalization cb junheng"
    ),
    "max": "max maximum high highest hi mx upper largest maxi zuigao zuida",
    "min": "min minimum low lowest lo mn lower smallest mini zuidi zuixiao",
    "avg": "avg average mean mittel",
    "delta": "delta diff difference dev deviation spread imbalance",
    "id": (
        "id ids idx index no nr num number position pos address addr selector mux multiplexor "
        "multiplexer"
    ),
    "count": "count cnt populated qty amount counter",
    "charge": "charge charging chg chrg charged regen recup",
    "discharge": "discharge discharging dischg dischrg dis disch dchg dsg dch dchrg",
    "limit": "limit limits lim allowed permitted permissible avail available allow capability",
    "ccl": "ccl",
    "dcl": "dcl",
    "cvl": "cvl",
    "resistance": "resistance res impedance resist ohm kohm mohm dcir acir ir",
    "open": "open ocv opencircuit",
    "power": "power pwr kw watt watts",
    "energy": "energy kwh wh soe",
    "capacity": "capacity cap ah amphours amphour amperehours",
    "remaining": "remaining remain rest left",
    "full": "full",
    "cycle": "cycle cycles",
    "fault": "fault faults error errors err failure fail dtc",
    "flag": "flag flags valid invalid validity",
    "state": "state status stat",
    "threshold": "threshold thresh setpoint target limitation cutoff cut hysteresis desired goal",
    "command": (
        "command cmd req request requested requests auth go enable enabled en ctrl control set"
    ),
    "warning": "warning warn alarm alert alarms",
    "checksum": "crc checksum chksum chk e2e rolling life",
    "time": "time timer duration hours minutes seconds uptime timestamp",
    "twelve": "twelve aux auxiliary kl lv sli lvb accessory dcdc",
    "raw": "adc rawv",
    "machine": (
        "motor inverter igbt stator rotor phase mcu charger obc ac mains grid cabin "
        "hvac duct coolant inlet outlet ambient board pcb cpu asic fet mos mosfet tpms "
        "heater evaporator radiator fan pump link bus busbar port plug pilot cable "
        "connector external outside brake tire pin fuse contactor relay coil ctr ctrs "
        "precharge dcfc evse station vehicle car drive du ic wheel shunttemp heatsink "
        "transmission engine isolation insulation imd iso chassis kl30 acc fc"
    ),
    "history": (
        "history historical hist histdata lifetime lifetimes reset test dbg debug cal "
        "calib calibrate calibration nominal rated nom design"
    ),
    "display": "ui display displayed disp dash user adaptive usable",
    "group": "group frame block page row bank",
    "first": "first start offset begin",
}
_FILLER = frozenset(
    _SPACE.split(
        "inst instant instantaneous actual act value val meas measured measurement lb f synth "
        "smooth filtered the of in is hd highdef real now ist signal sig data info u v i t a c "
        "x p msg msgid hvs can deg tx rx"
    )
)
CONCEPT = {word: concept for concept, words in _CONCEPTS.items() for word in words.split()}
# Words that may be glued to others without a mark; longest first.
_GLUED = sorted(
    (w for w in CONCEPT if len(w) >= 3 and w not in ("cel", "res", "rest", "ohm", "acc", "set")),
    key=len,
    reverse=True,
)
_SPLIT = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SPECIAL = re.compile(r"So([CH])(?![a-z])")
# Capitals run into a small word: "BMSmaxTemp" is BMS, max, temp.
_ACRONYM = re.compile(r"(BMS|AMS|BMU|SOC|SOH|NTC|CMU|CMC|HVP|HV|UI|PCS)(?=[a-z])")
_PACK = re.compile(
    r"(?:(?<![a-z])(?i:bat|batt|battery|pack)_?|^[pP])([1-4]|[A-D])(?=_|[A-Z][a-z]|$)"
)
_DEGREES = re.compile(r"(?i)deg_?c(?![a-z])")
# "Cell_12_V" is no lead-acid battery.
_TWELVE = re.compile(r"(?i)(?<![0-9])(?<!cell)(?<!cell_)(?<!brick)(?<!brick_)12_?v(?![a-z])")
# "Cell_A_mV": the place between the cell and its quantity.
_LETTER_INSIDE = re.compile(r"(?i:cell|zelle)_?([A-Z])_(?i:m?v|vol\w*|spannung)$")
# "C12_Voltage", "M1C2_V", "CV12".
_BARE_C = re.compile(r"(?:^|_|(?<=\d))(?:C_?\d+_?(?:V|mV|[Vv]olt\w*)|CV_?\d+)$")
_SCALE_MARK = re.compile(r"(?i)(?<![a-z])x10+(?![0-9])|0x")


@dataclass(frozen=True, slots=True)
class Name:
    """A name taken apart.

    words: concepts, or the word itself where it stands for none; numbers: in order; letter: a
    single letter that counts places ("" if none); twelve_volt: the name says 12 V; limits:
    it says "limit" in full; pack: 2 for "Bat2_…", "PackB_…", "P2_…", whose number is no other;
    weak: only a bare C before a number says "cell".
    """

    words: tuple[str, ...]
    numbers: tuple[int, ...]
    letter: str
    twelve_volt: bool
    limits: bool = False
    pack: int = 1
    weak: bool = False

    def has(self, *concepts: str) -> bool:
        """Whether any of the concepts is among the words."""
        return any(concept in self.words for concept in concepts)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Words that stand for nothing known."""
        return tuple(w for w in self.words if w not in _CONCEPTS and w not in _FILLER)


@lru_cache(maxsize=50_000)
def take_apart(name: str) -> Name:
    """Words and numbers of a signal's or message's name."""
    name = in_english(name)
    twelve_volt = bool(_TWELVE.search(name))
    text = _SPECIAL.sub(r"SO\1", _SCALE_MARK.sub("_", _TWELVE.sub("_", _DEGREES.sub("_", name))))
    text = _ACRONYM.sub(r"\1_", text)
    text, pack = _without_pack(text)
    pieces = _SPLIT.findall(text)
    words: list[str] = []
    numbers: list[int] = []
    for piece in pieces:
        if piece.isdigit():
            numbers.append(int(piece[:9]))
        else:
            words.extend(_glued(piece.lower()))
    letter = _letter(text, words)
    concepts = tuple(_concepts(words))
    weak = "cell" not in concepts and bool(_BARE_C.search(text))
    if weak:
        concepts = (
            "cell",
            "voltage",
            *(c for c in concepts if c not in ("c", "cv", "v", "voltage")),
        )
    if (letter, True) in (("A", "current" in concepts), ("C", "temperature" in concepts)):
        letter = ""  # the unit, not a place
    limits = "limit" in name.lower()
    return Name(concepts, tuple(numbers), letter, twelve_volt, limits, pack, weak)


def _letter(text: str, words: list[str]) -> str:
    """The letter that counts places; its word is taken out of `words`."""
    last = re.search(r"(?:[_\d]|[a-z])([A-Z])$", text)
    if last and words and words[-1] == last[1].lower():
        # Letters of units and quantities count only where the quantity has been said.
        said = {"voltage", "temperature"}.intersection(CONCEPT.get(w, "") for w in words[:-1])
        if last[1] <= "H" or said:
            words.pop()
            return last[1]
    inside = _LETTER_INSIDE.search(text)
    if inside and inside[1].lower() in words:
        words.remove(inside[1].lower())
        return inside[1].upper()
    return ""


def _without_pack(text: str) -> tuple[str, int]:
    """The name without the number or letter of a pack, and that number (1 if there is none)."""
    match = _PACK.search(text)
    if not match or not text[match.end() :].strip("_"):
        return text, 1
    mark = match[1].upper()
    number = int(mark) if mark.isdigit() else ord(mark) - 64
    return f"{text[: match.start(1)]}_{text[match.end(1) :]}", number


def message_words(message: Message) -> Name:
    """The same of a message's name, without its own identifier in hexadecimal."""
    return take_apart(re.sub(rf"(?i)(0x)?0*{message.id:X}(?![0-9])", "_", message.name))


def _glued(word: str) -> list[str]:
    """A word that is made of known words, taken apart; else itself."""
    if word in CONCEPT or len(word) < 4:
        return [word]
    found: list[str] = []
    rest = word
    while rest:
        part = next((known for known in _GLUED if rest.startswith(known)), "")
        if not part and len(rest) == 1 and found:
            part = rest  # cellv, packi
        if not part and not found and len(rest) > 3 and rest[0] in "uvit":
            part = rest[0]  # ubatt, vcellmax
        if not part and rest in ("id", "no", "nr", "ui", "hv", "lv"):
            part = rest
        if not part and not found and rest[:2] in ("hv", "lv"):
            part = rest[:2]
        if not part:
            return [word]
        found.append(part)
        rest = rest[len(part) :]
    return found


def _concepts(words: list[str]) -> list[str]:
    """Words replaced by concepts; single letters by what they mean beside a battery word."""
    concepts = [CONCEPT.get(word, word) for word in words]
    battery = {"cell", "pack", "bms", "min", "max", "avg", "hv", "module", "string"}
    beside = bool(battery.intersection(concepts))
    letters = {"v": "voltage", "u": "voltage", "i": "current", "t": "temperature"}
    given = [letters.get(c, c) if beside and c in letters else c for c in concepts]
    for word, implied in (
        ("vcell", "cell"),
        ("ucell", "cell"),
        ("celspanning", "cell"),
        ("vbatt", "voltage"),
        ("vbat", "voltage"),
        ("ubatt", "voltage"),
        ("ibatt", "pack"),
        ("ibat", "pack"),
    ):
        if word in words:
            given.append(implied)
    return _joined(given)


def _joined(words: list[str]) -> list[str]:
    """ "state of charge" is one concept."""
    text = " ".join(words)
    for phrase, concept in (
        ("state of charge", "soc"),
        ("state charge", "soc"),
        ("dc dc", "twelve"),
        ("state of soh", "soh"),
        ("state of health", "soh"),
        ("dan ti", "cell"),
        ("dian xin", "cell"),
        ("dian ya", "voltage"),
        ("dian liu", "current"),
        ("wen du", "temperature"),
        ("jun heng", "balancing"),
        ("single voltage", "cell voltage"),
        ("mono voltage", "cell voltage"),
    ):
        text = re.sub(rf"\b{phrase}\b", concept, text)
    return text.split()
