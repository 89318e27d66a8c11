"""Models that `onnxruntime.quantization` wrote, as networks: python -m benchmarks.onnx_foreign.

For every small network of `tests/foreign_models.py` and every form of quantisation: imported or
refused, and how many integers of all quantised tensors are those of ONNX Runtime, with the largest
difference. "fused": with its optimiser, which makes integer kernels of what stands between
quantisers; that is what runs by default, and what the bar asks of. "as written": without it, in
single precision, where a sum next to a half may fall to the other side. Products of unsigned and
signed bytes are exact (session.x64quantprecision).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import onnx
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

from codesign.errors import InputError
from codesign.network.network import Network
from codesign.network.onnx_quantised import translate_quantised

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from foreign_models import FORMS, agreement, export, modules, quantised

BAR = 0.999


def compared(
    model: onnx.ModelProto, network: Network, tensors: dict[str, str], optimised: bool, count: int
) -> tuple[str, bool]:
    """Return the share of identical integers and the largest step, and whether they will do."""
    try:
        found = agreement(model, network, tensors, optimised, count)
    except NoKernel:
        return "ORT has no kernel", True
    met = found.share >= BAR and found.largest <= 1
    return f"{found.share:9.4%} {found.largest:2d}", met


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16)
    count = parser.parse_args().images
    print(f"{'network':16}{'form':52}{'as written':>20}{'fused':>20}")
    tally = {"imported": 0, "refused": 0, "missed": 0}
    with tempfile.TemporaryDirectory() as folder:
        for name, module in modules().items():
            source = export(module, Path(folder) / f"{name}.onnx")
            for form in FORMS:
                path = quantised(source, form, Path(folder) / "quantised.onnx")
                model, tensors = onnx.load(path), dict[str, str]()
                try:
                    network = translate_quantised(model, path, [], {}, tensors)
                except InputError as error:
                    tally["refused"] += 1
                    print(f"{name:16}{form!s:52} refused: {str(error).removeprefix(str(path))}")
                    continue
                cells = [compared(model, network, tensors, fused, count) for fused in (False, True)]
                tally["imported"] += 1
                tally["missed"] += not cells[1][1]
                print(f"{name:16}{form!s:52}" + "".join(f"{cell:>20}" for cell, _ in cells))
    print(
        f"{tally['imported']} imported, {tally['refused']} refused; of the imported ones "
        f"{tally['missed']} below {BAR:.1%} or more than 1 step off"
    )


if __name__ == "__main__":
    main()
