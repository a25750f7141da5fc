"""What a pack is, in the reader's words, also where only the family of its chemistry is known.

One sentence for command line, window and report, so that a number never stands on a guess that is
not said. No Qt, no files.
"""

from bms_studio.analysis.contract import Basis
from bms_studio.messages import Parameters, render


def kind_words(basis: Basis) -> str:
    """The chemistry; where it is unknown, what cells are judged as; "" for neither."""
    if basis.chemistry or not basis.family:
        return basis.chemistry
    parameters: Parameters = {"table": basis.table, "percent": 100 * basis.table_confidence}
    return render(f"basis.judged_as_{basis.family}", parameters)
