"""Accuracy on single cells of another physics, in means over groups.

    python -m benchmarks.blind [--half look|judge] [--kind NMC]...

Needs the folder ../shared/data beside the project. Numbers may be chosen on "look"; "judge" only
judges. "usual" is the chemistry's own table and circuit, "own" the cell's table with the usual
circuit, "NMC label" a blend sold as NMC. Points of SOC after half an hour.
"""

import argparse
import math

import numpy as np

from benchmarks import _blind_cells as blind_cells
from benchmarks._cell_data import FOLDER, Run
from benchmarks.estimation import START_NS, of_run, own, rms, usual
from bms_studio.estimators import soc
from bms_studio.estimators.model import CellModel

STARTS = ("exact", "20 off", "unknown")


def judged(run: Run, model: CellModel, start: str) -> tuple[float, float, float, float]:
    """RMSE, share inside 3 sigma, rms of error over sigma, mean sigma."""
    stated = float(run.soc[0])
    if start == "20 off":
        stated += 0.2 if stated < 0.5 else -0.2
    told = math.nan if start == "unknown" else stated
    params = soc.Params(model, initial_soc=told, initial_soc_sigma=0.01)
    out = soc.step(params, soc.start(params, 1), of_run(run, run.current_a))
    at = (out["time_ns"] - START_NS) * 1e-9
    late = at > 1800
    error = 100 * (out["pack_soc"] - np.interp(at, run.time_s, run.soc))[late]
    sigma = 100 * out["pack_soc_sigma"][late]
    inside = float(np.mean(np.abs(error) <= 3 * sigma))
    return rms(error), inside, rms(error / sigma), float(sigma.mean())


def models_of(chemistry: str, table: str, run: Run) -> dict[str, CellModel]:
    """What the estimator may be told of this cell."""
    told = {"usual": usual(chemistry, run), "own": own(chemistry, run, table)}
    if chemistry == "LMO":
        told["NMC label"] = usual("NMC", run)
    return told


def measure(half: str, kinds: list[str]) -> None:
    """A line per chemistry, model and start."""
    groups: dict[tuple[str, str, str], list[tuple[float, float, float, float]]] = {}
    seed = 0 if half == "look" else 500
    for chemistry, tables in blind_cells.TABLES[half].items():
        for table in tables:
            for degc in (25.0, 5.0, -10.0):
                for day in ("down", "day", "part"):
                    seed += 1
                    if chemistry not in kinds:
                        continue
                    run = blind_cells.make_run(chemistry, table, degc, day, seed)
                    for label, model in models_of(chemistry, table, run).items():
                        for start in STARTS:
                            score = judged(run, model, start)
                            groups.setdefault((chemistry, label, start), []).append(score)
    for (chemistry, label, start), scores in groups.items():
        rmse, inside, ratio, sigma = np.array(scores).T
        print(
            f"{half:<6} {chemistry:<4} {label:<10} {start:<8} mean rmse {rmse.mean():5.2f} worst "
            f"{rmse.max():5.2f} in 3 sigma {100 * inside.mean():4.0f} % error/sigma "
            f"{rms(ratio):.2f} sigma {sigma.mean():.2f}",
            flush=True,
        )


def main() -> None:
    """Print the halves asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", action="append", choices=tuple(blind_cells.TABLES))
    every = tuple(blind_cells.TABLES["look"])
    parser.add_argument("--kind", action="append", choices=every)
    chosen = parser.parse_args()
    if not FOLDER.is_dir():
        print("not measured: there is no folder ../shared/data/cells beside the project")
        return
    for half in chosen.half or list(blind_cells.TABLES):
        measure(half, chosen.kind or list(every))


if __name__ == "__main__":
    main()
