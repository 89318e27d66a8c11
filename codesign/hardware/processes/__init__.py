"""Processes: the units with a C++ twin, one file each."""
