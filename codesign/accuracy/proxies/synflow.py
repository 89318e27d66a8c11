"""Synaptic flow: how much passes from a picture of ones through the sizes of all weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from codesign.accuracy.dataset import Labelled
from codesign.accuracy.proxy import Proxy
from codesign.accuracy.torch_proxy import untrained, weights_of
from codesign.accuracy.torch_training import threads
from codesign.network.graph import Graph


@dataclass(frozen=True)
class Synflow(Proxy):
    """The sum over all weights of |w dR/dw|, where R adds the scores that all |w| give to ones.

    There is no batch normalisation, and no image is looked at. The answer is log(1 + sum), which
    keeps the order and stays a handy number for deep networks.

    Sources: Tanaka et al., NeurIPS 2020 (arXiv 2006.05467), equation 2 and algorithm 1 (ones,
    absolute weights); Abdelfattah et al., ICLR 2021 (arXiv 2101.08134), section 3.1 (the sum
    over all layers as a score).
    """

    def score(self, graph: Graph, split: Labelled, seed: int) -> float:
        """Return the logarithm of the flow."""
        with threads(1):
            module = untrained(graph, seed, normalises=False)
            weights = weights_of(module)
            with torch.no_grad():
                for parameter in module.parameters():
                    parameter.abs_()
            ones = torch.ones(1, *graph.input.shape, dtype=torch.double)
            gradients = torch.autograd.grad(module(ones).sum(), weights)
            pairs = zip(weights, gradients, strict=True)
            flow = sum(
                float((weight.detach() * gradient).abs().sum()) for weight, gradient in pairs
            )
        return math.log1p(flow)
