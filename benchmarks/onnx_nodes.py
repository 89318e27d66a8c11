"""The onnx package's own node tests, operator by operator: python -m benchmarks.onnx_nodes.

For every operator that codesign imports: how many of its tests pass, how many are refused by name,
and what the refusals say.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

import onnx

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from node_cases import cases, outcome


def main() -> tuple[int, int, int]:
    """Print the table and return how many passed, were refused and are wrong."""
    tally = Counter[str]()
    print(f"node tests of onnx {onnx.__version__}\n{'operator':20}{'passed':>8}{'refused':>8}  why")
    with tempfile.TemporaryDirectory() as folder:
        for operator, own in sorted(cases().items()):
            found = [outcome(case, Path(folder)) for case in own]
            counts = Counter(result for result, _ in found)
            tally.update(counts)
            reasons = {reason for result, reason in found if result == "refused"}
            why = min(reasons, key=len, default="")
            print(f"{operator:20}{counts['passed']:>8}{counts['refused']:>8}  {why[:100]}")
            for case, (result, reason) in zip(own, found, strict=True):
                if result == "wrong":
                    print(f"  WRONG {case.name}: {reason}")
    print(f"{'in all':20}{tally['passed']:>8}{tally['refused']:>8}  {tally['wrong']} wrong")
    return tally["passed"], tally["refused"], tally["wrong"]


if __name__ == "__main__":
    main()
