"""Operators of integer networks, one file each."""
