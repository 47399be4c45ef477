"""The floors: raw calls of a driver that do the least possible for the same effect.

A floor writes the value and one entry of one order index per key, in one atomic step, durably. It
checks nothing: no lease, no checksum, no key above or below another. Its pages know one group.
"""
