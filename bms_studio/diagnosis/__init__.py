"""Arrays in, findings out: which cell, why, how sure. One detector a file; see contract.py.

No files, buses, Qt, pandas or threads.
"""
