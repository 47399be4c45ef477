"""Trials: what no single check can show, because something outside the engine has to break.

Four rigs: a bad network between engine and server, killed servers, processes that fight for one
lease, and fail-over. Each makes everything it does from a seed, so that a run that found something
can be run again: `python -m wa_conformance.trials --help`.
"""
