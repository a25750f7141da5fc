"""From samples to estimates, health and risk of every cell: live, replay and `analyze` alike.

Wires `estimators` (arrays in, arrays out) to the rows of the pipeline. No Qt, no adapters; files
only in `store.py`, through `recordings`. See docs/architecture.md.
"""
