"""The price of a model without search: what is asked for is what is priced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import random_graph
from hls import random_images, random_network

from codesign.cost.estimate import estimate
from codesign.cost.pipeline import simulate
from codesign.errors import InputError
from codesign.fit.settle import IMAGES
from codesign.flow.price import price_model
from codesign.network import onnx
from codesign.network.network import Network
from codesign.report.explain import binding, remedies


@pytest.fixture(scope="module")
def network() -> Network:
    random = np.random.default_rng(7)
    graph = random_graph(random)
    return random_network(graph, random, random_images(graph, random, 8))


@pytest.fixture(scope="module")
def model(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(network, path)
    return path


def test_a_quantised_model_is_priced_as_it_is(model: Path, network: Network) -> None:
    findings, _ = price_model(model, ["board=kv260"])
    assert findings.design.graph == network.graph
    assert findings.board.name == "kv260"
    assert findings.fits
    assert findings.title == "model.onnx on kv260"
    timing = simulate(findings.design, IMAGES)
    assert findings.timing == timing
    assert findings.estimate.values() == estimate(findings.design, timing).values()


def test_clock_ceilings_and_objective_reach_the_design(model: Path) -> None:
    base, _ = price_model(model, [])
    fast, _ = price_model(model, ["hardware.clock_mhz=300"])
    assert fast.design.clock_hz == 300e6 == 1.5 * base.design.clock_hz
    low, _ = price_model(model, ["hardware.objective=resources", "fps>=1000"])
    assert low.estimate.values()["lut"] < base.estimate.values()["lut"]
    assert low.estimate.fps >= 1000
    tight, _ = price_model(model, ["hardware.ceilings={lut: 0.011}"])
    assert tight.estimate.budget["lut"] == 2534
    assert not tight.fits


def test_a_fit_for_latency_says_what_was_proven(model: Path) -> None:
    base, _ = price_model(model, [])
    fast, _ = price_model(model, ["hardware.objective=latency"])
    assert fast.fit.objective == "latency"
    assert fast.fit.gap == 0
    assert fast.estimate.latency_cycles.value <= base.estimate.latency_cycles.value
    (line,) = (text for text in binding(fast) if "closed form" in text)
    assert f"{fast.fit.latency:,.0f} cycles; the simulated pipeline takes" in line
    assert not any("closed form" in text for text in binding(base))


def test_a_mix_is_weighted_on_the_command_line(model: Path) -> None:
    weights = ["hardware.objective=mix", "hardware.weights={energy: 1, latency: 0.5}"]
    mixed, _ = price_model(model, weights)
    assert mixed.fit.objective == "mix"
    assert mixed.fits
    for wrong, words in (
        (weights[:1], "needs them"),
        ([weights[0], "hardware.weights={speed: 1}"], "not for speed"),
        ([weights[0], "hardware.weights={energy: -1}"], "at least 0"),
        (["hardware.weights={energy: 1}"], "belong to the objective mix"),
    ):
        with pytest.raises(InputError, match=words):
            price_model(model, wrong)


def test_a_wish_is_checked_against_the_settled_design(model: Path) -> None:
    base, _ = price_model(model, [])
    rate = base.estimate.fps
    met, _ = price_model(model, [f"fps>={rate}"])
    missed, _ = price_model(model, [f"fps>={rate * 1.01}"])
    assert met.wish_met
    assert not missed.wish_met
    assert [check.constraint.name for check in missed.wish_checks] == ["fps"]


def test_a_cap_that_nothing_meets_is_no_fit_and_says_how_far(model: Path) -> None:
    findings, _ = price_model(model, ["lut<=10"])
    assert not findings.fits
    assert findings.fit.excess["lut"] > 1000
    assert "LUT too many" in findings.fit.advice
    assert findings.fit.reason.startswith("LUT alone is too scarce at any rate: ")
    assert "10 may be used" in findings.fit.reason
    assert findings.fit.ways_out
    assert set(findings.fit.ways_out) <= set(remedies(findings))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("board=zcu105", "did you mean zcu104"),
        ("weight_bits=9", "weight_bits is 2 to 8, got 9"),
        ("activation_bits=1", "activation_bits is 2 to 8, got 1"),
        ("weight_bit=4", "did you mean weight_bits"),
        ("hardware.clock_mhz=7", "zcu104 has no clock of 7 MHz"),
        ("hardware.clock=7", "did you mean hardware.clock_mhz"),
        ("hardware.ceilings={lux: 0.5}", "lux"),
        ("hardware.ceilings={lut: 1.5}", "lut must lie in 0 .. 1"),
        ("fps>=", "fps>=1000"),
        ("speed>=3", "no quantity 'speed'"),
        ("boards", "key=value"),
    ],
)
def test_a_wrong_request_is_named(model: Path, change: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        price_model(model, [change])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
