"""What a detector says: findings, in codes and parameters, never in a reader's language.

Arrays in, findings out. No files, buses, Qt, pandas or threads may enter this room.
"""

from dataclasses import dataclass, field

SEVERITIES = ("info", "watch", "warn", "stop")
STATES = ("pending", "active", "acknowledged", "resolved")


@dataclass(frozen=True, slots=True)
class Finding:
    """One diagnosis with its evidence; the newest state of an `id` replaces the earlier ones.

    id: stable for one cause ("limits.cell_over_voltage.13"); start, end: int64 ns of the evidence;
    cell: from 1, 0 = the pack; score: how far beyond the limit, in sigma or in multiples of it.
    `text` is English; windows and reports render `code` with `parameters` in the reader's language
    (catalogue key = code). `evidence`: quantity, value, sigma, reference, start, end per item.
    """

    id: str
    time: int
    start: int
    end: int
    cell: int
    kind: str
    severity: str
    state: str
    score: float
    code: str
    parameters: dict[str, float | str | int] = field(default_factory=dict)
    text: str = ""
    count: int = 1
    evidence: tuple[dict[str, float | str | int], ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with the pack: `code` of DESIGN 7.4, and message codes with parameters.

    headline, next_action: (code, parameters); checked, not_checked: lists of the same.
    """

    code: str
    headline: tuple[str, dict[str, float | str | int]]
    next_action: tuple[str, dict[str, float | str | int]]
    checked: tuple[tuple[str, dict[str, float | str | int]], ...] = ()
    not_checked: tuple[tuple[str, dict[str, float | str | int]], ...] = ()


MECHANISMS = (
    "resistance",
    "capacity",
    "self-discharge",
    "internal-short",
    "connection",
    "thermal",
    "sensor",
    "balancing",
    "imbalance",
    "none",
)


@dataclass(frozen=True, slots=True)
class LeadTime:
    """When a limit of failure is expected: unit "cycles" or "days", never a single number."""

    unit: str
    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class CellRisk:
    """What fusion says of one cell (number from 1).

    risk: 0..1, orders the cells even when all is well; rank: 1 fails first; mechanism: one of
    MECHANISMS; probability: that it is the first to fail, NaN without a trend; lead_time: empty
    without a trend; reason: (message code, parameters); evidence as in `Finding`. rivals:
    explanations that were weighed against it, (code, parameters), each saying why it was rejected;
    remedy: (code, parameters) of what would change this.
    """

    cell: int
    risk: float
    rank: int
    mechanism: str = "none"
    probability: float = float("nan")
    lead_time: tuple[LeadTime, ...] = ()
    reason: tuple[str, dict[str, float | str | int]] = ("risk.none", {})
    evidence: tuple[dict[str, float | str | int], ...] = ()
    rivals: tuple[tuple[str, dict[str, float | str | int]], ...] = ()
    remedy: tuple[str, dict[str, float | str | int]] = ("risk.no_remedy", {})


Parameters = dict[str, float | str | int]


def evidence(
    quantity: str, value: float, sigma: float, reference: float, start: int, end: int, text: str
) -> Parameters:
    """One item of evidence: a value with its sigma against a reference, and the interval (int64 ns)
    that shows it; text: one English phrase, unit included."""
    return {
        "quantity": quantity,
        "value": float(value),
        "sigma": float(sigma),
        "reference": float(reference),
        "start": int(start),
        "end": int(end),
        "text": text,
    }
