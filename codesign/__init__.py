"""Search a network and its FPGA accelerator together, and prove that both fit."""

__version__ = "0.1.0"
