"""The bench of the file engine's tests: disks that die, fail or remember, and scripts to run."""
