"""The analyses of a recording as DataFrames: /estimates, /health, /findings and the older ones.

Wide tables have the cells, numbered from 1, as columns; units stand in `df.attrs`. Every access
reads the file anew.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from recordings.frame_tables import narrow, wide
from recordings.reader import Recording


class PerCell(Mapping[str, pd.DataFrame]):
    """One table (rows, cells) per quantity: `rec.health["resistance_ohm"]` or
    `rec.health.resistance_ohm`; `pack`: what is said of the whole pack, one column per quantity."""

    def __init__(self, recording: Recording, group: str) -> None:
        self._recording, self._group = recording, group

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._names():
            raise KeyError(f"{self._group} of {self._recording.path.name} has no {name}")
        return wide(self._recording, self._group, name, "cell")

    def __getattr__(self, name: str) -> pd.DataFrame:
        if name.startswith("_") or name not in self._names():
            raise AttributeError(f"{self._group} has no {name}")
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._names()]

    @property
    def pack(self) -> pd.DataFrame:
        """The whole pack, by time; cell numbers are 0 where unknown."""
        return narrow(self._recording, self._group)

    def _names(self) -> list[str]:
        infos = self._recording.columns(self._group)
        return [name for name, info in infos.items() if info.width]


@dataclass(frozen=True, slots=True)
class AnalysisFrames:
    """One analysis: settings and basis as dicts, verdict, its tables."""

    recording: Recording
    number: int
    pack: int = 1

    @property
    def attributes(self) -> dict[str, Any]:
        """name, created, software, settings, basis, verdict, risks, serial; JSON unpacked."""
        texts = self.recording.analysis_attributes(self.number, self.pack)
        packed = ("settings", "basis", "verdict", "risks")
        return {k: json.loads(v) if k in packed and v else v for k, v in texts.items()}

    @property
    def estimates(self) -> PerCell:
        """soc and soc_sigma of every cell; `.pack`: usable charge, power …"""
        return PerCell(self.recording, f"{self._place}/estimates")

    @property
    def health(self) -> PerCell:
        """One row per evaluation: resistance_ohm, capacity_ah, leak_a … with `_sigma`."""
        return PerCell(self.recording, f"{self._place}/health")

    @property
    def findings(self) -> pd.DataFrame:
        """Every transition; the newest row of an id wins."""
        return narrow(self.recording, f"{self._place}/findings")

    @property
    def _place(self) -> str:
        prefix = "" if self.pack == 1 else f"/packs/{self.pack}"
        return f"{prefix}/analyses/{self.number}"
