"""The tables of resources/chemistry, evaluated from published half-cell functions.

    python -m benchmarks.ocv_tables            prints how far each is from measured cells
    python -m benchmarks.ocv_tables --write    writes the tables anew

A full cell's open-circuit voltage is U_p(y) - U_n(x) with both stoichiometries linear in SOC. The
functions are fits printed in the papers named; where a paper's cell is another one than the
profile's, the stoichiometries at empty are those at which the cell has its usual end voltages.
Measured cells (folder ../shared/data) only judge the result; nothing of theirs is contained.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import _cell_data as cell_data

Floats = NDArray[np.float64]
Curve = Callable[[Floats], Floats]
SOC: Floats = np.linspace(0.0, 1.0, 101)
FOLDER = Path(__file__).resolve().parents[1] / "resources" / "chemistry"


def lfp_safari(y: Floats) -> Floats:
    """LiFePO4: M. Safari, C. Delacourt, J. Electrochem. Soc. 158 (2011) A562, table I."""
    free = 1 - np.clip(y, 1e-6, 1 - 1e-6)
    return (
        3.4323
        - 0.8428 * np.exp(-80.2493 * free**1.3198)
        - 3.2474e-6 * np.exp(20.2645 * free**3.8003)
        + 3.2482e-6 * np.exp(20.2646 * free**3.7995)
    )


def lfp_afshar(y: Floats) -> Floats:
    """LiFePO4: S. Afshar, K. Morris, A. Khajepour, arXiv:1709.03970 (2017)."""
    return 3.4077 - 0.020269 * y + 0.5 * np.exp(-150 * y) - 0.9 * np.exp(-30 * (1 - y))


def graphite_safari(x: Floats) -> Floats:
    """Graphite: Safari and Delacourt 2011, table I."""
    return (
        0.6379
        + 0.5416 * np.exp(-305.5309 * x)
        + 0.044 * np.tanh(-(x - 0.1958) / 0.1088)
        - 0.1978 * np.tanh((x - 1.0571) / 0.0854)
        - 0.6875 * np.tanh((x + 0.0117) / 0.0529)
        - 0.0175 * np.tanh((x - 0.5692) / 0.0875)
    )


def graphite_chen(x: Floats) -> Floats:
    """Graphite with SiOx of LG M50: Chen et al., J. Electrochem. Soc. 167 (2020) 080534."""
    return (
        1.9793 * np.exp(-39.3631 * x)
        + 0.2482
        - 0.0909 * np.tanh(29.8538 * (x - 0.1234))
        - 0.04478 * np.tanh(14.9159 * (x - 0.2769))
        - 0.0205 * np.tanh(30.4444 * (x - 0.6103))
    )


def graphite_mohtat(x: Floats) -> Floats:
    """Graphite: P. Mohtat et al., J. Electrochem. Soc. 167 (2020) 110561."""
    out = 0.063 + 0.8 * np.exp(-75 * (x + 0.001))
    for height, centre, width in (
        (0.0120, 0.127, 0.016),
        (0.0118, 0.155, 0.016),
        (0.0035, 0.220, 0.020),
        (0.0095, 0.190, 0.013),
        (0.0145, 0.490, 0.020),
        (0.0800, 1.030, 0.055),
    ):
        out = out - height * np.tanh((x - centre) / width)
    return out


def graphite_kim(x: Floats) -> Floats:
    """Graphite: G.-H. Kim et al., J. Electrochem. Soc. 158 (2011) A955."""
    out = 0.124 + 1.5 * np.exp(-70 * x) + 0.0155 * np.tanh((x - 0.105) / 0.029)
    for height, centre, width in (
        (0.0351, 0.286, 0.083),
        (0.0045, 0.9, 0.119),
        (0.035, 0.99, 0.05),
        (0.0147, 0.5, 0.034),
        (0.102, 0.194, 0.142),
        (0.022, 0.98, 0.0164),
        (0.011, 0.124, 0.0226),
    ):
        out = out - height * np.tanh((x - centre) / width)
    return out


def nmc811_chen(y: Floats) -> Floats:
    """NMC 811: Chen et al. 2020."""
    return (
        4.4875
        - 0.809 * y
        - 0.0428 * np.tanh(18.5138 * (y - 0.5542))
        - 17.7326 * np.tanh(15.789 * (y - 0.3117))
        + 17.5842 * np.tanh(15.9308 * (y - 0.312))
    )


def nmc532_mohtat(y: Floats) -> Floats:
    """NMC 532: Mohtat et al. 2020."""
    smooth = np.polyval([-2.2166, 3.5146, -2.0843, 1.6225, -1.6518, 4.3452], y)
    return np.asarray(smooth - 0.5623e-4 * np.exp(109.451 * y - 100.006), np.float64)


def nca_kim(y: Floats) -> Floats:
    """NCA: Kim et al. 2011."""
    factors = [
        *(1.638, -2.222, 15.056, -23.488, 81.246, -344.566),
        *(621.3475, -554.774, 264.427, -66.3691, 11.8058),
    ]
    return np.asarray(np.polyval(factors, y) - 0.61386 * np.exp(5.8201 * y**136.4), np.float64)


def lmo_doyle(y: Floats) -> Floats:
    """LiMn2O4: M. Doyle et al., J. Electrochem. Soc. 143 (1996) 1890."""
    return (
        4.19829
        + 0.0565661 * np.tanh(-14.5546 * y + 8.60942)
        - 0.0275479 * (np.maximum(0.998432 - y, 1e-4) ** -0.492465 - 1.90111)
        - 0.157123 * np.exp(-0.04738 * y**8)
        + 0.810239 * np.exp(-40 * (y - 0.133875))
    )


def lco_ramadass(y: Floats) -> Floats:
    """LiCoO2: P. Ramadass et al., J. Electrochem. Soc. 151 (2004) A196 (stretch 1.13)."""
    s = (1.13 * y) ** 2
    above = np.polyval([433.434, -462.471, 342.909, -401.119, 88.669, -4.656], s)
    below = np.polyval([95.96, -73.083, 37.311, -79.532, 18.933, -1.0], s)
    return np.asarray(above / below, np.float64)


def graphite_ramadass(x: Floats) -> Floats:
    """Graphite: Ramadass et al. 2004."""
    return (
        0.7222
        + 0.1387 * x
        + 0.029 * np.sqrt(x)
        - 0.0172 / x
        + 0.0019 / x**1.5
        + 0.2808 * np.exp(0.9 - 15 * x)
        - 0.7984 * np.exp(0.4465 * x - 0.4108)
    )


def blend(share: float, one: Curve, other: Curve) -> Curve:
    """Two active materials at one potential, `share` of the capacity from the first (P. Albertus,
    J. Christensen, J. Newman, J. Electrochem. Soc. 156 (2009) A606)."""
    u = np.linspace(3.0, 4.35, 4000)
    y1, y2 = np.linspace(0.14, 0.998, 4000), np.linspace(0.2, 0.99, 4000)
    both = share * np.interp(-u, -one(y1), y1) + (1 - share) * np.interp(-u, -other(y2), y2)
    return lambda y: np.asarray(np.interp(-y, -both, u), np.float64)


def no_entropy(sto: Floats) -> Floats:
    """Not known: taken as zero."""
    return np.zeros(len(sto))


def graphite_entropy_thomas(x: Floats) -> Floats:
    """dU/dT of graphite, V/K: K. E. Thomas, J. Newman, J. Power Sources 119 (2003) 844."""
    return np.asarray(1e-3 * np.polyval([-27.14, 90.71, -110.7, 57.21, -8.92, -1.56, 0.28], x))


def graphite_entropy_oregan(x: Floats) -> Floats:
    """dU/dT of LG M50's graphite, V/K: K. O'Regan et al., Electrochim. Acta 425 (2022) 140700."""
    return 1e-3 * (0.02914 - 0.1112 * x + 0.3561 * np.exp(-((x - 0.08309) ** 2) / 0.004616))


def nmc811_entropy_oregan(y: Floats) -> Floats:
    """dU/dT of NMC 811, V/K: O'Regan et al. 2022."""
    one = 0.04006 * np.exp(-((y - 0.2828) ** 2) / 0.0009855)
    return np.asarray(1e-3 * (one - 0.06656 * np.exp(-((y - 0.8032) ** 2) / 0.02179)), np.float64)


@dataclass(frozen=True, slots=True)
class Cell:
    """Two electrodes, the negative's stoichiometry at empty and full, the cell's OCV there; the
    positive's stoichiometries follow, within the range of its fit."""

    positive: Curve
    negative: Curve
    x_empty: float
    x_full: float
    empty_v: float
    full_v: float
    positive_entropy: Curve = no_entropy
    negative_entropy: Curve = no_entropy
    y_least: float = 0.005
    y_most: float = 0.9985

    def table(self) -> tuple[Floats, Floats]:
        """OCV (V) and its temperature coefficient (V/K) at `SOC`."""
        fine = np.linspace(self.y_least, self.y_most, 20_000)
        u = np.minimum.accumulate(self.positive(fine))
        x = self.x_empty + SOC * (self.x_full - self.x_empty)
        ends = np.array([self.empty_v, self.full_v]) + self.negative(x[[0, -1]])
        y_empty, y_full = np.interp(-ends, -u, fine)
        y = y_empty + SOC * (y_full - y_empty)
        return (
            self.positive(y) - self.negative(x),
            self.positive_entropy(y) - self.negative_entropy(x),
        )


# NMC, NMC532, LCO, LFP-SI: the negative's windows of the parameter sets Chen2020, Mohtat2020,
# Ramadass2004, Prada2013 of PyBaMM (BSD-3-Clause).
# LFP: graphite between 0.85 and 78 % (M. Schimpe et al., J. Electrochem. Soc. 165 (2018) A181).
# NCA: graphite from 1 to 90 %. LMO: half of the capacity from spinel, as in blends for vehicles.
CELLS = {
    "nmc": Cell(
        *(nmc811_chen, graphite_chen, 0.0263473, 0.910612, 2.5, 4.2),
        *(nmc811_entropy_oregan, graphite_entropy_oregan),
    ),
    "nmc532": Cell(nmc532_mohtat, graphite_mohtat, 0.0017, 0.8321, 2.8, 4.2),
    "nca": Cell(nca_kim, graphite_kim, 0.01, 0.90, 2.5, 4.2),
    "nca_c6": Cell(nca_kim, graphite_mohtat, 0.01, 0.85, 3.0, 4.2),
    "lfp": Cell(
        *(lfp_safari, graphite_safari, 0.0085, 0.78, 2.0, 3.6),
        negative_entropy=graphite_entropy_thomas,
    ),
    "lfp_si": Cell(lfp_afshar, graphite_chen, 0.017618, 0.810043, 2.0, 3.6, y_least=0.002),
    "lco": Cell(lco_ramadass, graphite_ramadass, 0.0158, 0.7394, 2.8, 4.2, y_least=0.4, y_most=0.9),
    "lmo": Cell(blend(0.5, lmo_doyle, nmc811_chen), graphite_safari, 0.005, 0.78, 3.0, 4.17),
}
JUDGES = (
    "ocv_Chen2020",
    "ocv_Mohtat2020",
    "ocv_Prada2013",
    "ocv_Ramadass2004",
    "ocv_unknown_nmc_measured",
    "pocv_LG-INR21700M50T_measured",
    "pocv_Molicel-INR18650P28A_measured",
    "pocv_Molicel-INR21700P42A_measured",
    "pocv_Samsung-INR2170040T_measured",
    "ocv_E2_NMC_measured",
    "pocv_leaf_LMO_blend_C3_measured",
    "ocv_A123_26650_LFP_measured",
    "pocv_LithiumWerks-APR18650M1B_measured",
)


def print_deviations() -> None:
    """Root mean square of table minus measured cell between 8 and 97 % of SOC, mV, and as SOC."""
    print("mV (points of SOC), 8..97 %".ljust(40) + "".join(f"{name:>15}" for name in CELLS))
    rows = slice(8, 98)
    for judge in JUDGES:
        measured = cell_data.ocv_table(f"{judge}.csv")
        line = judge.ljust(40)
        for cell in CELLS.values():
            ocv, _ = cell.table()
            apart = 1000 * float(np.sqrt(np.mean((ocv - measured)[rows] ** 2)))
            rising = np.maximum.accumulate(ocv) + 1e-9 * np.arange(101)
            read = np.interp(measured[rows], rising, SOC)
            points = 100 * float(np.sqrt(np.mean((read - SOC[rows]) ** 2)))
            line += f"{apart:7.0f} ({points:4.1f})"
        print(line)


def write() -> None:
    """The files of resources/chemistry."""
    for name, cell in CELLS.items():
        ocv, entropic = cell.table()
        lines = ["soc,ocv_v,entropic_v_per_k"]
        for z, v, s in zip(SOC, ocv, entropic, strict=True):
            lines.append(f"{z:.2f},{v:.5f},{s:.7f}")
        (FOLDER / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """As `--help` says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        write()
    if cell_data.FOLDER.is_dir():
        print_deviations()


if __name__ == "__main__":
    main()
