"""Small torch modules that between them use every operator that can be imported.

Each reads images `N x 3 x 12 x 12` (`SIGNALS`: `N x 3 x 24`), and mixes its answer by a dense
layer at the end, which tells the order of the elements as well, unless it is about the end itself.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

IMAGE = (3, 12, 12)
SIGNAL = (3, 24)


class Chain(nn.Module):
    """Modules and functions one after the other."""

    def __init__(self, *parts: nn.Module | Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.learned = nn.ModuleList(part for part in parts if isinstance(part, nn.Module))
        self.parts = parts

    def forward(self, maps: Tensor) -> Tensor:
        for part in self.parts:
            maps = part(maps)
        return maps


class Apply(nn.Module):
    """A function as a module, with modules of its own."""

    def __init__(self, function: Callable[..., Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(parts)

    def forward(self, maps: Tensor) -> Tensor:
        return self.function(maps, *self.parts)


def flat(features: int, outputs: int = 5) -> nn.Module:
    """Flatten, and mix everything."""
    return nn.Sequential(nn.Flatten(), nn.Linear(features, outputs))


def norm(channels: int, axes: int = 2) -> nn.Module:
    """Return a batch normalisation that has seen something."""
    kinds = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d)
    made = kinds[axes](channels)
    for name, low, high in (("weight", -1.5, 1.5), ("running_var", 0.3, 2.0)):
        nn.init.uniform_(getattr(made, name), low, high)
    for name in ("bias", "running_mean"):
        nn.init.normal_(getattr(made, name))
    return made


def padded(*sides: int) -> nn.Module:
    """Put zeros left, right, top and bottom."""
    return Apply(lambda maps: functional.pad(maps, sides))


def convolutions() -> nn.Module:
    """Grouped, depthwise, dilated, strided, padded on every side differently and far."""
    return Chain(
        padded(1, 2, 0, 3),
        nn.Conv2d(3, 6, (3, 2), stride=(2, 1), padding=(1, 0)),
        nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=6, bias=False),
        padded(3, 0, 4, 1),
        nn.Conv2d(6, 4, 2, groups=2),
        nn.Conv2d(4, 8, 3, padding="same", groups=4),
        nn.Conv2d(8, 2, 1, padding=(2, 1)),
        nn.Flatten(),
        nn.LazyLinear(5),
    )


def row_convolutions() -> nn.Module:
    """Signals of one axis."""
    return Chain(
        nn.Conv1d(3, 6, 5, stride=2, padding=3, bias=False),
        norm(6, axes=1),
        nn.ReLU(),
        nn.Conv1d(6, 6, 3, padding=2, dilation=2, groups=6),
        nn.MaxPool1d(3, 2, 1),
        Apply(lambda maps: functional.pad(maps, (2, 1))),
        nn.ConvTranspose1d(6, 4, 3, stride=2, output_padding=1),
        nn.AvgPool1d(2),
        nn.LeakyReLU(0.2),
        nn.AdaptiveAvgPool1d(1),
        flat(4),
    )


def transposed_convolutions() -> nn.Module:
    """Enlargement by weights."""
    return Chain(
        nn.ConvTranspose2d(3, 4, 2, stride=2),
        nn.ReLU(),
        nn.ConvTranspose2d(4, 6, (3, 2), stride=(1, 2), padding=1, groups=2, bias=False),
        norm(6),
        nn.ConvTranspose2d(6, 6, 3, 3, padding=(0, 2), output_padding=(1, 2), groups=6),
        nn.ConvTranspose2d(6, 2, 3, padding=1, dilation=2),
        nn.MaxPool2d(5),
        nn.Flatten(),
        nn.LazyLinear(5),
    )


def normalisations() -> nn.Module:
    """Batch normalisation where a layer can take it in, and where none can."""
    branches = nn.Conv2d(4, 3, 1), nn.Conv2d(4, 2, 1)

    def joined(maps: Tensor, left: nn.Module, right: nn.Module) -> Tensor:
        return torch.cat([left(maps), right(maps), maps], 1)

    return Chain(
        norm(3),  # before any layer
        nn.Conv2d(3, 4, 3, bias=False),
        norm(4),
        nn.ReLU(),
        norm(4),  # after a rectifier
        Apply(joined, *branches),
        norm(9),  # after a concatenation
        nn.ReLU6(),
        nn.MaxPool2d(2),
        norm(9),
        nn.Flatten(),
        nn.Linear(225, 8),
        norm(8, axes=0),
        nn.ReLU(),
        norm(8, axes=0),
        nn.Linear(8, 5),
    )


def rectifiers() -> nn.Module:
    """Clips of every kind, where a layer can take them in, and where none can."""
    return Chain(
        nn.Conv2d(3, 4, 3),
        nn.ReLU6(),
        nn.Conv2d(4, 4, 3),
        nn.Hardtanh(-0.4, 0.3),
        nn.Conv2d(4, 4, 1),
        Apply(lambda maps: torch.clamp(maps, min=-0.1)),
        nn.Conv2d(4, 4, 1),
        Apply(lambda maps: torch.clamp(maps, max=0.2)),
        Apply(lambda maps: torch.cat([functional.relu(maps), maps], 1)),
        Apply(lambda maps: functional.relu6(maps + 3)),
        nn.Conv2d(8, 4, 1),
        Apply(lambda maps: torch.minimum(maps, torch.tensor(0.5)).clamp(min=0)),
        flat(256),
    )


def functions() -> nn.Module:
    """Functions of every number."""
    parts = (
        *(nn.LeakyReLU(0.1), nn.PReLU(4), nn.Hardswish(), nn.SiLU(), nn.GELU(), nn.Mish()),
        *(nn.ELU(), nn.PReLU(), nn.Softplus(), nn.Tanh(), nn.Hardsigmoid(), nn.Sigmoid()),
        *(nn.SELU(), nn.Softsign()),
    )
    between = (part for own in parts for part in (own, nn.Conv2d(4, 4, 1)))
    return Chain(nn.Conv2d(3, 4, 3), *between, flat(400))


def attention() -> nn.Module:
    """Squeeze-and-excitation, in two forms, and products with constants."""

    def excited(maps: Tensor, first: nn.Module, second: nn.Module) -> Tensor:
        squeezed = functional.adaptive_avg_pool2d(maps, 1)
        return maps * functional.hardsigmoid(second(functional.relu(first(squeezed))))

    def weighted(maps: Tensor, first: nn.Module, second: nn.Module) -> Tensor:
        count, channels = maps.shape[:2]
        squeezed = functional.relu(first(maps.mean((2, 3))))
        return maps * torch.sigmoid(second(squeezed)).view(count, channels, 1, 1)

    factors = torch.tensor([0.5, 2.0, 1.0, -1.0]).view(1, 4, 1, 1)
    return Chain(
        nn.Conv2d(3, 4, 3),
        nn.Hardswish(),
        Apply(excited, nn.Conv2d(4, 2, 1), nn.Conv2d(2, 4, 1)),
        nn.Conv2d(4, 4, 1),
        nn.ReLU(),
        Apply(weighted, nn.Linear(4, 2), nn.Linear(2, 4)),
        Apply(lambda maps: (maps * factors + 0.25) / 2 - factors),
        flat(400),
    )


def joins() -> nn.Module:
    """Sums, concatenations, parts, and a channel shuffle."""

    def gathered(maps: Tensor, first: nn.Module, second: nn.Module, last: nn.Module) -> Tensor:
        left, right = maps.chunk(2, 1)
        narrow, wide = torch.split(torch.cat([first(left), right, second(maps)], 1), [3, 7], 1)
        return last(wide[:, 1:5] + maps) + torch.cat([narrow, maps[:, :1]], dim=1) * 0.5

    def shuffled(maps: Tensor) -> Tensor:
        count, channels, rows, columns = maps.shape
        halves = maps.view(count, 1, channels, rows, columns).squeeze(1)
        return halves.reshape(count, channels, rows * columns).view(count, channels, rows, columns)

    parts = nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
    return Chain(nn.Conv2d(3, 4, 3), nn.ReLU(), Apply(gathered, *parts), shuffled, flat(400))


def pools() -> nn.Module:
    """Maxima and means, with padding that counts and that does not, rounded up and down."""
    return Chain(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.AvgPool2d(3, 1, 1, count_include_pad=True),
        nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        Apply(lambda maps: functional.pad(maps, (1, 1, 0, 1), value=float("-inf"))),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False),
        nn.Flatten(),
        nn.LazyLinear(5),
    )


def far_pools() -> nn.Module:
    """Maxima of pixels that lie apart, and enlargement to sizes."""
    return Chain(
        nn.Conv2d(3, 2, 3),
        nn.MaxPool2d((2, 3), 2, (0, 1), dilation=(2, 1)),
        Apply(lambda maps: functional.interpolate(maps, size=(12, 10))),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.LazyLinear(5),
    )


def means() -> nn.Module:
    """Means over rows, columns and both."""

    def mixed(maps: Tensor) -> Tensor:
        return torch.cat(
            [maps.mean((2, 3)), maps.mean(3).mean(2), maps.amax((2, 3)), maps.mean([-1, -2])], 1
        )

    return Chain(
        nn.Conv2d(3, 4, 3),
        nn.AdaptiveAvgPool2d((5, 2)),
        nn.ReLU(),
        Apply(mixed),
        nn.Linear(16, 5),
    )


def enlargements() -> nn.Module:
    """Nearest neighbours by factors."""
    return Chain(
        nn.Conv2d(3, 4, 3, stride=3),
        nn.Upsample(scale_factor=2),
        nn.Upsample(scale_factor=(1, 3), mode="nearest"),
        nn.Conv2d(4, 2, 3),
        flat(264),
    )


def views() -> nn.Module:
    """Other shapes and orders of the same numbers."""
    return Chain(
        nn.Conv2d(3, 4, 3),
        nn.ReLU(),
        lambda maps: maps.permute(0, 2, 3, 1),
        nn.Linear(4, 6),  # channels last
        nn.ReLU(),
        lambda maps: maps.permute(0, 3, 1, 2).contiguous(),
        nn.Conv2d(6, 2, 3),
        lambda maps: maps.permute(0, 2, 3, 1).reshape(maps.shape[0], -1),
        nn.Linear(128, 8),
        lambda rows: rows.unsqueeze(-1).squeeze(2).view(-1, 8),
        nn.Linear(8, 5),
    )


def classifier() -> nn.Module:
    """A softmax at the end, for the host."""
    return Chain(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Dropout(), flat(400), nn.Softmax(1))


def decision() -> nn.Module:
    """A class at the end, for the host."""
    return Chain(nn.Conv2d(3, 4, 3), nn.ReLU(), flat(400), lambda rows: rows.argmax(1))


MODULES: dict[str, Callable[[], nn.Module]] = {
    made.__name__: made
    for made in (
        *(convolutions, row_convolutions, transposed_convolutions, normalisations, rectifiers),
        *(functions, attention, joins, pools, far_pools, means, enlargements, views),
    )
}
LATER = {"far_pools"}
"""What torch's exporter cannot write in operator set 9."""

ENDS: dict[str, Callable[[], nn.Module]] = {"Softmax": classifier, "ArgMax": decision}


def built(make: Callable[[], nn.Module]) -> tuple[nn.Module, tuple[int, ...]]:
    """Return a module with seeded weights, ready to be exported, and the shape that it reads."""
    torch.manual_seed(0)
    shape = SIGNAL if make is row_convolutions else IMAGE
    module = make()
    with torch.no_grad():
        module.eval()(torch.zeros(2, *shape))
    return module, shape
