"""Models that `onnxruntime.quantization` wrote, as networks: python -m benchmarks.onnx_foreign.

For every small network of `tests/foreign_models.py` and those of MLPerf Tiny, and every form of
quantisation: imported or refused, and how many integers of all quantised tensors are those of ONNX
Runtime, with the largest difference. "fused": with its optimiser, which makes integer kernels of
what stands between quantisers; that is what runs by default, and what the bar asks of. "as
written": without it, in single precision, where a sum next to a half may fall to the other side.
"layer by layer" (fused where there are kernels) judges every layer by what it makes of the very
integers that ONNX Runtime's read: in a deep network a step that one layer differs by grows in those
behind it, so the bar on the networks of MLPerf Tiny is on that. Products of unsigned and signed
bytes are exact (session.x64quantprecision).
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
from codesign.network.onnx.float_export import save_floats
from codesign.network.onnx.quantised import translate_quantised

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from foreign_models import FORMS, Agreement, agreement, export, modules, quantised

BAR = 0.999
REFERENCES = ("resnet8", "ds_cnn", "mobilenet_v1_025", "autoencoder")


def compared(
    model: onnx.ModelProto, network: Network, tensors: dict[str, str], count: int
) -> list[Agreement | None]:
    """Return how it agrees as written, fused, and layer by layer; None where there is no kernel."""
    found: list[Agreement | None] = []
    for optimised in (False, True):
        try:
            found.append(agreement(model, network, tensors, optimised, count))
        except NoKernel:
            found.append(None)
    fused = found[1] is not None
    return [*found, agreement(model, network, tensors, fused, count, alone=True)]


def reaches(found: Agreement | None) -> bool:
    """Whether integers agree as the bar wants it."""
    return found is None or (found.share >= BAR and found.largest <= 1)


def cell(found: Agreement | None) -> str:
    """Return the share of identical integers and the largest step."""
    return f"{found.share:.4%} {found.largest:2d}" if found else "ORT has no kernel"


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
    columns = ("as written", "fused", "layer by layer")
    print(f"{'network':18}{'form':48}" + "".join(f"{column:>19}" for column in columns))
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
                found = compared(model, network, tensors, images)
                judged = found[2:] if name in REFERENCES else found[1:]
                imported += 1
                missed += not all(map(reaches, judged))
                print(f"{name:18}{form!s:48}" + "".join(f"{cell(x):>19}" for x in found))
    print(
        f"{imported} imported, {refused} refused; of the imported ones {missed} below {BAR:.1%} "
        f"or more than 1 step off"
    )
    return imported, refused, missed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16)
    main(parser.parse_args().images)
