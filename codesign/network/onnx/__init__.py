"""Networks as ONNX files: quantised ones both ways, trained float ones in.

The modules of this package are the only ones of codesign that know onnx.
"""

from __future__ import annotations

from pathlib import Path

from codesign.errors import InputError, nearest
from codesign.network.network import FloatNetwork, Network
from codesign.network.onnx import model_file
from codesign.network.onnx.float_import import Widths, translate
from codesign.network.onnx.quantised import is_quantised, translate_quantised
from codesign.network.onnx.restore import WRITERS, is_export, restore
from codesign.network.onnx.survey import survey


def save(network: Network, path: Path, form: str = "qdq") -> None:
    """Write an integer network; `load` gives back the identical network.

    Args:
        network: what to write.
        path: the file.
        form: `qdq` (quantise and dequantise steps, which any runtime knows) or `qonnx`.

    Raises:
        InputError: the file cannot be written, ONNX has no integers of a needed width, or there
            is no such form.
    """
    if form not in WRITERS:
        raise InputError("form", f"there is no '{form}'", nearest(form, WRITERS))
    model_file.write(WRITERS[form](network).model(), path)


def load(
    path: Path,
    *,
    weight_bits: int = 8,
    activation_bits: int = 8,
    input_signed: bool = False,
    notes: list[str] | None = None,
    origins: dict[str, str] | None = None,
) -> Network | FloatNetwork:
    """Read a quantised model as a `Network`, any other one as a `FloatNetwork`.

    What `save` wrote gives the identical network; QDQ, QOperator and QONNX models of others give
    the integers that they define.

    Args:
        path: the ONNX file.
        weight_bits: width that the weights of a float model are to get.
        activation_bits: width that its layers' outputs are to get; its input gets 8 bits.
        input_signed: whether its images have negative values.
        notes: receives what a person should know: names, and what the host has to do.
        origins: receives which ONNX node each layer of a float model came from; without it the
            notes do.

    Raises:
        InputError: the file is damaged, or no model that codesign can map.
        UnsupportedOperator: it needs an operator that codesign lacks; names the node.
    """
    told = [] if notes is None else notes
    model = model_file.read(path)
    if is_export(model):
        model_file.check(model, str(path))
        return restore(model, str(path), told)
    if is_quantised(model):
        return translate_quantised(model, path, told, origins)
    widths = Widths(weight_bits, activation_bits, input_signed)
    return translate(model, path, widths, told, origins)


def problems(path: Path) -> list[InputError]:
    """Return all that keeps a float model from being imported; `load` raises the first of it.

    What `save` wrote is `load`'s to judge.

    Raises:
        InputError: the file is damaged, or no ONNX model.
    """
    model = model_file.read(path)
    if is_export(model):
        return []
    if not is_quantised(model):
        return survey(model, path)
    try:
        translate_quantised(model, path, [], {})
    except InputError as error:
        return [error]
    return []
