"""Calibrations, one file each."""
