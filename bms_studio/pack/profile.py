"""What a pack is and how to talk to it: the profile, a TOML text (DESIGN 7.5).

Plain data and its checks. No files of others, no buses, no Qt.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protocols.roles import Role, parse_role

CHEMISTRIES = ("NMC", "NCA", "LFP", "LCO", "LMO", "custom")
NOT_USED = "none"  # in [mapping]: this signal has no role, whatever its name says

PROFILE_IN_JOURNAL = "profile.toml"  # what was corrected after the journal's header was written
DATABASES_IN_JOURNAL = "databases.json"  # [[name, text], …] that were given after it


_MOST_BYTES = 1 << 20
_MOST_WORDS = 400
_MOST_CELLS = 1000
_MOST_PACKS = 16


class ProfileError(ValueError):
    """A profile that cannot be used; the message names the file, the key and the remedy."""

    def __init__(self, sentence: str) -> None:
        # What a stranger wrote may be a million letters long: its ends say enough.
        long = len(sentence) > _MOST_WORDS
        super().__init__(f"{sentence[:200]} … {sentence[-150:]}" if long else sentence)


@dataclass(frozen=True, slots=True)
class Probe:
    """A temperature probe: its label and the cells (from 1) it is assigned to."""

    label: str
    cells: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of cells and pack; None where the profile is silent. V, degC, A."""

    cell_voltage_min: float | None = None
    cell_voltage_max: float | None = None
    temperature_min: float | None = None
    temperature_max: float | None = None
    current_discharge_max: float | None = None
    current_charge_max: float | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A pack's description; every part may be missing. `text` is the TOML it came from.

    layout: rows of cell numbers as they lie in the pack, 0 = hole. databases: paths as written.
    mapping: ("Message.Signal", role) overrides, role None where the signal is not to be used.
    first_cell: 0 or 1, None to learn it.
    """

    name: str = ""
    serial: str = ""
    series: int = 0
    parallel: int = 0
    chemistry: str = ""
    capacity_ah: float = 0.0
    ocv: str = ""
    labels: tuple[str, ...] = ()
    probes: tuple[Probe, ...] = ()
    layout: tuple[tuple[int, ...], ...] = ()
    limits: Limits = Limits()
    protocol: str = ""
    databases: tuple[str, ...] = ()
    current_sign: str = ""
    first_cell: int | None = None
    mapping: tuple[tuple[str, Role | None], ...] = ()
    adapter: dict[str, Any] = field(default_factory=dict)
    text: str = ""


_TABLES: dict[str, tuple[str, ...]] = {
    "pack": (
        "name", "serial", "series", "parallel", "chemistry", "capacity_ah", "ocv", "labels",
        "probes", "layout",
    ),
    "limits": tuple(Limits.__dataclass_fields__),
    "protocol": ("name", "dbc", "current_sign", "first_cell"),
    "adapter": ("interface", "channel", "bitrate", "mode"),
}  # fmt: skip


def parse_profile(text: str, source: str = "profile") -> Profile:
    """The profile in a TOML text; ProfileError names the place and the remedy."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of 4300 digits, a thousand brackets
        raise ProfileError(f"{source}: not valid TOML ({error}); correct that line") from None
    for table, content in tables.items():
        _check_keys(source, table, content)
    pack, protocol = tables.get("pack", {}), tables.get("protocol", {})
    try:
        return Profile(
            name=str(pack.get("name", "")),
            serial=str(pack.get("serial", "")),
            series=_cell(pack.get("series", 0)),
            parallel=_cell(pack.get("parallel", 0)),
            chemistry=_chemistry(source, pack.get("chemistry", "")),
            capacity_ah=float(pack.get("capacity_ah", 0.0)),
            ocv=str(pack.get("ocv", "")),
            labels=tuple(str(label) for label in pack.get("labels", ())),
            probes=tuple(_probe(p) for p in pack.get("probes", ())),
            layout=tuple(tuple(_cell(n) for n in row) for row in pack.get("layout", ())),
            limits=Limits(**{k: float(v) for k, v in tables.get("limits", {}).items()}),
            protocol=str(protocol.get("name", "")),
            databases=tuple(str(p) for p in protocol.get("dbc", ())),
            current_sign=_sign(source, protocol.get("current_sign", "")),
            first_cell=_first_cell(source, protocol.get("first_cell")),
            mapping=tuple(
                (signal, None if role == NOT_USED else _role(str(role)))
                for signal, role in tables.get("mapping", {}).items()
            ),
            adapter=dict(tables.get("adapter", {})),
            text=text,
        )
    except (TypeError, KeyError, ValueError, OverflowError, AttributeError) as error:
        if isinstance(error, ProfileError):
            raise
        raise ProfileError(f"{source}: {error}") from None


def load_profile(path: Path) -> Profile:
    """The profile in a file; ProfileError when it is missing or wrong."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ProfileError(f"{path} has more than 1 MB: that is no profile")
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}; name an existing profile") from None
    except UnicodeDecodeError:
        raise ProfileError(f"{path}: not a text file; a profile is TOML in UTF-8") from None
    return parse_profile(text, str(path))


def _check_keys(source: str, table: str, content: Any) -> None:
    if table == "mapping":
        return
    if table not in _TABLES:
        known = ", ".join([*_TABLES, "mapping"])
        raise ProfileError(f"{source}: [{table}] is no table of a profile; there are {known}")
    if not isinstance(content, dict):
        raise ProfileError(f"{source}: {table} must be a table, written [{table}]")
    for key in content:
        if key not in _TABLES[table]:
            known = ", ".join(_TABLES[table])
            raise ProfileError(f"{source}: [{table}] has no key {key}; there are {known}")


def _cell(value: Any) -> int:
    """A number of cells, or of a cell: bounded, because arrays are made of it."""
    number = int(value)
    if not 0 <= number <= _MOST_CELLS:
        raise ValueError(f"{value} is no number of cells: 0 to {_MOST_CELLS}")
    return number


def _role(text: str) -> Role:
    role = parse_role(text)
    if role.number > _MOST_CELLS or role.pack > _MOST_PACKS:
        raise ValueError(
            f"'{text}': numbers go up to {_MOST_CELLS} and packs up to {_MOST_PACKS}; correct it"
        )
    return role


def _chemistry(source: str, value: Any) -> str:
    if value and value not in CHEMISTRIES:
        raise ProfileError(f"{source}: chemistry {value!r} is not one of {', '.join(CHEMISTRIES)}")
    return str(value)


def _sign(source: str, value: Any) -> str:
    if value not in ("", "+discharge", "+charge"):
        raise ProfileError(f'{source}: current_sign is "+discharge" or "+charge", not {value!r}')
    return str(value)


def _first_cell(source: str, value: Any) -> int | None:
    if value is None or (value in (0, 1) and not isinstance(value, bool)):
        return None if value is None else int(value)
    raise ProfileError(f"{source}: first_cell is 0 or 1, not {value!r}")


def _probe(entry: Any) -> Probe:
    return Probe(str(entry["label"]), tuple(_cell(n) for n in entry.get("cells", ())))
