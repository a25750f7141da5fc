"""Measured and simulated cells for `estimation.py`, as arrays with a known state of charge."""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "cells"
A123_CAPACITY_AH = 2.07
A123_FILES = {25: "50_P25", 5: "45_P05", -15: "10_N15"}


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One cell's run: current + = discharge, soc 0..1 the tester's truth."""

    name: str
    time_s: NDArray[np.float64]
    current_a: NDArray[np.float64]
    voltage_v: NDArray[np.float64]
    soc: NDArray[np.float64]
    temperature_degc: float
    capacity_ah: float


def e2() -> Run:
    """NMC-like cell, UDDS at 25 degC, 1 Hz, 10.5 h."""
    d = np.load(FOLDER / "e2" / "e2_udds_25c.npz")
    time = d["time_s"] - d["time_s"][0]
    return Run(
        "E2 25 degC", time, d["current_a"], d["voltage_v"], d["soc"], 25.0, float(d["capacity_ah"])
    )


def a123(temperature: int) -> Run:
    """A123 26650, UDDS from full to empty at 25, 5 or -15 degC, 1 Hz."""
    path = FOLDER / "a123" / f"A123_DYN_{A123_FILES[temperature]}_s1.csv.gz"
    with gzip.open(path, "rt") as file:
        rows = np.loadtxt(file, delimiter=",", skiprows=1)
    soc = 1 - (rows[:, 5] - 0.9976 * rows[:, 4]) / A123_CAPACITY_AH
    return Run(
        f"A123 {temperature} degC",
        rows[:, 0] - rows[0, 0],
        rows[:, 2],
        rows[:, 3],
        soc,
        float(temperature),
        A123_CAPACITY_AH,
    )


def nmc_trips(trips: tuple[int, ...]) -> Run:
    """UDDS trips of one NMC cell at 10 Hz, in a row with 10 unrecorded minutes between them.

    Truth: SOC from the measured OCV table at the rest before the first and after the last of the
    eight, and charge between; the capacity is what makes both agree. (Taken trip by trip, the rest
    voltages of this table disagree with charge by up to 1 % of SOC.)
    """
    d = np.load(FOLDER / "nmc_udds" / "nmc_udds_trips_1_8.npz")
    table = ocv_table("ocv_unknown_nmc_measured.csv")
    ends = np.interp([d["v1"][0], d["v8"][-1]], table, np.linspace(0, 1, len(table)))
    moved: dict[int, NDArray[Any]] = {}
    total = 0.0
    for k in range(1, 9):
        i, t = d[f"i{k}"], d[f"t{k}"]
        steps = 0.5 * (i[1:] + i[:-1]) * np.diff(t) / 3600
        moved[k] = total + np.concatenate([[0.0], np.cumsum(steps)])
        total = float(moved[k][-1])
    capacity = total / float(ends[0] - ends[1])
    time: list[NDArray[Any]] = []
    start = 0.0
    for k in trips:
        time.append(d[f"t{k}"] + start)
        start = float(time[-1][-1]) + 600.0
    return Run(
        f"NMC trips {trips[0]}-{trips[-1]}",
        np.concatenate(time),
        np.concatenate([d[f"i{k}"] for k in trips]),
        np.concatenate([d[f"v{k}"] for k in trips]),
        ends[0] - np.concatenate([moved[k] for k in trips]) / capacity,
        25.0,
        capacity,
    )


def ocv_table(name: str, temperature: float = 25.0) -> NDArray[np.float64]:
    """101 points of a measured table, SOC 0..1."""
    d = np.genfromtxt(FOLDER / "ocv" / name, delimiter=",", names=True)
    names = d.dtype.names
    assert names is not None
    if names[0] == "discharged_Ah_from_full":
        full = 1 - d[names[0]] / d[names[0]][-1]
        rising = np.interp(np.linspace(0, 1, 101), full[::-1], d[names[1]][::-1])
        return np.asarray(rising, np.float64)
    if "OCV0_V_at_0C" in names:
        values = d["OCV0_V_at_0C"] + temperature * d["OCVrel_V_per_K"]
    else:
        columns = [c for c in ("avg_P25", "ocv_V_25C", "ocv_V") if c in names]
        values = d[columns[0]]
    table = np.interp(np.linspace(0, 1, 101), d["soc"], values)
    return np.asarray(np.maximum.accumulate(table), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """A simulated pack of another model than ours; arrays over time and N cells."""

    name: str
    time_s: NDArray[np.float64]
    current_a: NDArray[np.float64]
    voltage_v: NDArray[np.float32]
    temperature_degc: NDArray[np.float64]
    soc: NDArray[np.float32]
    capacity_ah: NDArray[np.float64]
    r0_ohm: NDArray[np.float64]
    r10_ohm: NDArray[np.float64]
    shunt_ohm: NDArray[np.float64]
    offset_v: NDArray[np.float64]
    labels: NDArray[np.str_]
    probes_degc: NDArray[np.float64]


def simulated(name: str, week: int = 0) -> Pack:
    """One day of a file in `simulated`; week counts the days in it."""
    d = np.load(FOLDER / "simulated" / f"{name}.npz")
    weeks = np.unique(d["week"])
    rows = d["week"] == weeks[week]
    time = d["t"][rows].astype(np.float64)
    back = np.flatnonzero(np.diff(time) <= 0)
    # Every segment counts its own time from zero: one after another, one second apart.
    for at in back:
        time[at + 1 :] += time[at] + 1.0 - time[at + 1]
    shunt = np.atleast_2d(d["Rs"])
    return Pack(
        f"{name} day {week}",
        time,
        d["I_meas"][rows].astype(np.float64),
        d["V_meas"][rows],
        d["T_meas"][rows].astype(np.float64).mean(1),
        d["soc_true"][rows],
        np.atleast_2d(d["Q_true"])[week],
        np.atleast_2d(d["R0_true"])[week],
        np.atleast_2d(d["R10_true"])[week],
        shunt[min(week, len(shunt) - 1)],
        d["v_offset"],
        d["labels"],
        d["T_meas"][rows].astype(np.float64),
    )
