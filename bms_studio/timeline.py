"""What a session remembers: channel groups on one time axis, raw and reduced.

One writer thread, any number of readers. No Qt, no files of others.
"""
