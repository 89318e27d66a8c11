"""The pipeline's model beside a board, and what running it costs: python -m benchmarks.pipeline.

CNV-W1A1 with the folding that FINN published (Umuroglu et al., FPGA 2017) on PYNQ-Z2 at 100 MHz:
MLPerf Tiny v0.7 measured 661.5 images per second one at a time, driver included. FINN's FIFO
depths are not known; ours are the minimum. Nothing in the model was fitted to this case.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from codesign.cost.pipeline import Pipeline, simulate
from codesign.fit.settle import IMAGES, settle

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from test_pipeline import CNV_CYCLES, cnv

MEASURED = 151_178
"""Cycles of one image: 100 MHz / 661.5 per second. Source: MLPerf Tiny v0.7, FINN's submission."""
BAR = 0.1


def main() -> tuple[int, float]:
    """Print the rows; return the cycles of one image and how far they are from the board's."""
    design = cnv()
    depths = {fifo.name: fifo.depth for fifo in design.fifos}
    pipeline = Pipeline(design)
    latency = simulate(design).latency
    error = latency / MEASURED - 1
    print("CNV-W1A1 with FINN's folding, cycles of one image")
    print(f"  {'slowest layer':34}{max(CNV_CYCLES):10,}")
    print(f"  {'sum of the layers':34}{sum(CNV_CYCLES):10,}")
    print(f"  {'measured on PYNQ-Z2':34}{MEASURED:10,}")
    print(f"  {'the pipeline simulated':34}{latency:10,}{error:+9.1%}")
    print("CPU seconds on it, one core")
    deep = dict.fromkeys(depths, 64)
    calls: dict[str, Callable[[], object]] = {
        f"{IMAGES} images, FIFOs of 2 words": lambda: pipeline.run(IMAGES, depths),
        f"{IMAGES} images at the steady pace": lambda: pipeline.run(IMAGES, deep, pipeline.slowest),
        "FIFOs settled": lambda: settle(design),
    }
    for what, call in calls.items():
        start = time.process_time()
        call()
        print(f"  {what:34}{time.process_time() - start:10.2f}")
    return latency, error


if __name__ == "__main__":
    main()
