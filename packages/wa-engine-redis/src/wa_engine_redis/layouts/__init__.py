"""Keyspaces that other people's libraries write, as engines: read, written, and left as they are.

One idea: such a keyspace is a spelling of keys as cells (`space.py`), strings or fields of a hash,
and one engine serves them all. A batch is one transaction; there is no index of ours beside it.
"""
