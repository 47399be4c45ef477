"""The peers: what else people use for the same work, and can be installed here."""
