"""The functions of `codesign.network.functions` in torch, with gradients to learn by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class _Through(torch.autograd.Function):
    """An exact answer, with the gradient of what it stands for."""

    @staticmethod
    def forward(_context: Any, _smooth: Tensor, exact: Tensor) -> Tensor:
        return exact

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def straight_through(smooth: Tensor, exact: Tensor) -> Tensor:
    """Return `exact`, whose gradient passes on as if it were that of `smooth`.

    Source: Bengio, Leonard and Courville, arXiv 1308.3432, 2013 (straight-through estimator).
    """
    answer: Tensor = _Through.apply(smooth, exact.detach())  # type: ignore[no-untyped-call]
    return answer


def rounded(values: Tensor) -> Tensor:
    """Round half to even; the gradient passes as if nothing happened."""
    return straight_through(values, values.detach().round())


def _leaky_relu(x: Tensor, *slopes: float) -> Tensor:
    slope = x.new_tensor(slopes)
    if len(slopes) > 1:
        slope = slope.reshape(-1, *(1,) * (x.ndim - 2))
    return torch.where(x < 0, x * slope, x)


def _hard_sigmoid(x: Tensor, alpha: float, beta: float) -> Tensor:
    return (alpha * x + beta).clamp(0.0, 1.0)


def _hard_swish(x: Tensor) -> Tensor:
    return x * _hard_sigmoid(x, 1 / 6, 0.5)


def _elu(x: Tensor, alpha: float) -> Tensor:
    return torch.where(x < 0, alpha * torch.expm1(x.clamp(max=0.0)), x)


def _selu(x: Tensor, alpha: float, gamma: float) -> Tensor:
    return gamma * _elu(x, alpha)


def _softplus(x: Tensor) -> Tensor:
    return torch.logaddexp(x, torch.zeros_like(x))


def _mish(x: Tensor) -> Tensor:
    return x * torch.tanh(_softplus(x))


def _sign(x: Tensor) -> Tensor:
    """Its own gradient is zero; that of a clipped identity is learned by instead.

    Source: Hubara et al., NIPS 2016, section 1.4.
    """
    return straight_through(x.clamp(-1.0, 1.0), torch.where(x < 0, -1.0, 1.0).to(x.dtype))


FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "elu": _elu,
    "gelu": functional.gelu,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": _hard_swish,
    "leaky_relu": _leaky_relu,
    "mish": _mish,
    "selu": _selu,
    "sigmoid": torch.sigmoid,
    "sign": _sign,
    "silu": functional.silu,
    "softplus": _softplus,
    "softsign": functional.softsign,
    "tanh": torch.tanh,
}
"""By the names and with the parameters of `codesign.network.functions`."""
