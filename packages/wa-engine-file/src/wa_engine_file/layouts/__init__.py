"""Folders that other people's libraries write, as engines: read, written, and left as they are.

One idea: such a folder is a spelling of keys as paths (`layout.py`), and one engine serves them
all. There is no index and no checksum in it, so nothing is remembered between two calls: what the
other library writes is seen by the next one.
"""
