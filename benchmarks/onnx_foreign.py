"""Models that `onnxruntime.quantization` wrote, as networks: python -m benchmarks.onnx_foreign.

For every small network of `tests/foreign_models.py`, and those of MLPerf Tiny, and every form of
quantisation: imported or
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
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

from codesign.errors import InputError
from codesign.network.model import reference
from codesign.network.network import Network
from codesign.network.onnx_floats import save_floats
from codesign.network.onnx_quantised import translate_quantised

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from foreign_models import FORMS, agreement, export, modules, quantised

BAR = 0.999
REFERENCES = ("resnet8", "ds_cnn", "mobilenet_v1_025", "autoencoder")


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


def sources(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield float models, by name."""
    for name, module in modules().items():
        yield name, export(module, folder / f"{name}.onnx")
    for name in REFERENCES:
        path = folder / f"{name}.onnx"
        save_floats(reference(name).network(), path)
        yield name, path


def main(images: int = 16) -> tuple[int, int, int]:
    """Print the table; return how many are imported, refused, and imported below the bar."""
    print(f"{'network':18}{'form':48}{'as written':>18}{'fused':>18}")
    imported = refused = missed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, source in sources(Path(folder)):
            for form in FORMS:
                path = quantised(source, form, Path(folder) / "quantised.onnx")
                model, tensors = onnx.load(path), dict[str, str]()
                try:
                    network = translate_quantised(model, path, [], {}, tensors)
                except InputError as error:
                    refused += 1
                    reason = str(error).removeprefix(f"{path}: ")
                    print(f"{name:18}{form!s:48} refused: {reason}")
                    continue
                cells = [compared(model, network, tensors, x, images) for x in (False, True)]
                imported += 1
                missed += not cells[1][1]
                print(f"{name:18}{form!s:48}" + "".join(f"{cell:>18}" for cell, _ in cells))
    print(
        f"{imported} imported, {refused} refused; of the imported ones {missed} below {BAR:.1%} "
        f"or more than 1 step off"
    )
    return imported, refused, missed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16)
    main(parser.parse_args().images)
