"""Functions of one real number, by the names that ONNX gives them.

Source of the definitions and of the default parameters: ONNX operator specifications.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from codesign.network.op import Reals


@dataclass(frozen=True, slots=True)
class Function:
    """A function of numbers and of a few parameters; `least` bounds its values from below."""

    compute: Callable[..., Reals]
    defaults: tuple[float, ...] = ()
    """Values of its parameters unless they are given."""
    least: float = -np.inf


def _leaky_relu(x: Reals, *slopes: float) -> Reals:
    """Take one slope, or one per channel of `N x channels x ...`."""
    slope = np.array(slopes).reshape(-1, *(1,) * (x.ndim - 2)) if len(slopes) > 1 else slopes[0]
    return np.where(x < 0, x * slope, x)


def _hard_sigmoid(x: Reals, alpha: float, beta: float) -> Reals:
    return np.clip(alpha * x + beta, 0.0, 1.0)


def _hard_swish(x: Reals) -> Reals:
    return x * _hard_sigmoid(x, 1 / 6, 0.5)


def _sigmoid(x: Reals) -> Reals:
    answer: Reals = special.expit(x)
    return answer


def _silu(x: Reals) -> Reals:
    return x * _sigmoid(x)


def _gelu(x: Reals) -> Reals:
    answer: Reals = special.ndtr(x)
    return x * answer


def _elu(x: Reals, alpha: float) -> Reals:
    return np.where(x < 0, alpha * np.expm1(np.minimum(x, 0.0)), x)


def _selu(x: Reals, alpha: float, gamma: float) -> Reals:
    return gamma * _elu(x, alpha)


def _softplus(x: Reals) -> Reals:
    answer: Reals = np.logaddexp(x, 0.0)
    return answer


def _softsign(x: Reals) -> Reals:
    return x / (1.0 + np.abs(x))


def _mish(x: Reals) -> Reals:
    return x * np.tanh(_softplus(x))


def _sign(x: Reals) -> Reals:
    """Bipolar: what is not negative gives 1 (QONNX' BipolarQuant)."""
    return np.where(x < 0, -1.0, 1.0)


FUNCTIONS: Mapping[str, Function] = {
    "elu": Function(_elu, (1.0,)),
    "gelu": Function(_gelu, least=-0.17),
    "hard_sigmoid": Function(_hard_sigmoid, (0.2, 0.5), least=0.0),
    "hard_swish": Function(_hard_swish, least=-0.375),
    "leaky_relu": Function(_leaky_relu, (0.01,)),
    "mish": Function(_mish, least=-0.31),
    "selu": Function(_selu, (1.67326319217681884765625, 1.05070102214813232421875)),
    "sigmoid": Function(_sigmoid, least=0.0),
    "sign": Function(_sign),
    "silu": Function(_silu, least=-0.28),
    "softplus": Function(_softplus, least=0.0),
    "softsign": Function(_softsign),
    "tanh": Function(np.tanh),
}
