"""Two devices that talk while their records go from one implementation to another."""
