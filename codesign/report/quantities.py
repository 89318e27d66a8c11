"""How quantities read: a label, a unit with its prefix, and no more digits than they deserve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, log10, sqrt

from codesign.hardware.interval import Interval

_PREFIXES = {
    -12: "p",
    -9: "n",
    -6: "\N{MICRO SIGN}",
    -3: "m",
    0: "",
    3: "k",
    6: "M",
    9: "G",
    12: "T",
}
_Z95 = 1.959964  # two-sided 95 % quantile of the normal distribution


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a value is called, and its unit: "" for a count, "%" for a share."""

    label: str
    unit: str


_QUANTITIES: Mapping[str, Quantity] = {
    "accuracy": Quantity("accuracy", "%"),
    "fps": Quantity("frames per second", "fps"),
    "interval_s": Quantity("time between frames", "s"),
    "latency_s": Quantity("latency", "s"),
    "energy_j": Quantity("energy per image", "J"),
    "power_w": Quantity("power", "W"),
    "clock_mhz": Quantity("clock", "MHz"),
    "lut": Quantity("LUT", ""),
    "ff": Quantity("FF", ""),
    "dsp": Quantity("DSP", ""),
    "bram18": Quantity("BRAM18", ""),
    "uram": Quantity("URAM", ""),
    "macs": Quantity("MACs per image", ""),
    "parameters": Quantity("parameters", ""),
    "flops": Quantity("FLOPs per image", ""),
    "weight_bytes": Quantity("weights", "B"),
}


def quantity(name: str) -> Quantity:
    """Return how a value is called; a name that is not known stands for itself."""
    return _QUANTITIES.get(name, Quantity(name, ""))


def shown(name: str, value: float) -> str:
    """Return a named value as a person reads it: 9.72e-06 of "latency_s" is "9.72 µs"."""
    unit = quantity(name).unit
    if unit == "%":
        return percent(value, 2)
    if unit == "MHz":
        return f"{value:g} MHz"
    return si(value, unit) if unit else count(value)


def si(value: float, unit: str, digits: int = 3) -> str:
    """Return a value with a prefixed unit, e.g. "335 kfps", to `digits` significant digits."""
    if value == 0:
        return f"0 {unit}"
    rounded = float(f"{value:.{digits - 1}e}")
    power = _power(rounded)
    return f"{_digits(rounded, power, digits)} {_PREFIXES[power]}{unit}"


def si_range(interval: Interval, unit: str) -> str:
    """Return the ends of an interval, both prefixed alike: "4.5 to 19 mJ".

    Two digits, or as many as it takes to tell the ends apart.
    """
    power = _power(interval.high)
    for digits in (2, 3, 4):
        low, high = (
            _digits(float(f"{end:.{digits - 1}e}"), power, digits)
            for end in (interval.low, interval.high)
        )
        if low != high:
            break
    return f"{low} to {high} {_PREFIXES[power]}{unit}"


def count(value: float) -> str:
    """Return a whole number with separated thousands; other numbers to four digits."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def ratio(value: float) -> str:
    """Return a ratio to three significant digits, without an exponent."""
    return f"{float(f'{value:.3g}'):,g}" if value < 1e6 else si(value, "").strip()


def percent(share: float, digits: int = 1) -> str:
    """Return a share as a percentage; what is small but not nothing does not read as nothing."""
    smallest = 10**-digits
    if 0 < 100 * share < smallest:
        return f"< {smallest:.{digits}f} %"
    return f"{100 * share:.{digits}f} %"


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as it is spoken, e.g. "8 x 14 x 14"."""
    return " x ".join(map(str, shape))


def accuracy_range(share: float, images: int) -> tuple[float, float]:
    """Return where the accuracy on further images like these is expected, at 95 %.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 1927 (the score interval).
    """
    z2 = _Z95**2 / images
    middle = (share + z2 / 2) / (1 + z2)
    half = _Z95 / (1 + z2) * sqrt(share * (1 - share) / images + z2 / (4 * images))
    return max(0.0, middle - half), min(1.0, middle + half)


def _power(value: float) -> int:
    """Return the power of ten, a multiple of three, whose prefix suits a value."""
    if value == 0:
        return 0
    return max(min(_PREFIXES), min(max(_PREFIXES), 3 * floor(log10(abs(value)) / 3)))


def _digits(value: float, power: int, digits: int) -> str:
    scaled = value / 10.0**power
    if scaled == 0:
        return "0"
    decimals = max(0, digits - 1 - floor(log10(abs(scaled))))
    return f"{scaled:,.{decimals}f}"
