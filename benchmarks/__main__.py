"""Every benchmark, and the numbers to reach: python -m benchmarks [--quick].

Ends with exit code 1 where a number is not reached. That `fit` is the optimum is no measurement:
`tests/test_fit.py` proves it against brute force.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import (
    accuracy,
    csim,
    exact,
    executor,
    fit,
    onnx_damage,
    onnx_exact,
    onnx_foreign,
    onnx_import,
    onnx_nodes,
    onnx_round_trips,
    peers,
    pipeline,
    precision,
    pricing,
    proxies,
    run,
    search,
    timed,
)

SMALL = ("autoencoder", "cnv", "ds_cnn", "ecg", "lenet5", "mobilenet_v1_025", "resnet8")
"""Compared here; `python -m benchmarks.onnx_exact` takes all networks, for half an hour."""

SAMPLE = 20
"""Random designs that are emitted here; `benchmarks.timed` runs 200, `benchmarks.exact` 1,000."""

Row = tuple[str, str, str, bool]
"""What is measured, its bar, what was measured, and whether that reaches the bar."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the numbers to reach")
    quick = parser.parse_args().quick
    found = run.main()
    rows = [
        *default_run(found),
        *engines(),
        *fits(),
        *emitted(),
        *integers(),
        *imports(quick),
        *promises(),
    ]
    if not quick:
        sys.argv[1:] = []
        for benchmark in (pricing, fit, accuracy, precision, search):
            print()
            benchmark.main()
    print("\nnumbers to reach")
    for what, bar, measured, met in rows:
        print(f"  {what:42}{bar:>14}{measured:>32}  {'met' if met else 'MISSED'}")
    sys.exit(0 if all(row[-1] for row in rows) else 1)


def default_run(found: run.Measured) -> list[Row]:
    """Return what is asked of the default run."""
    share, equal = found.accuracies["test"], (found.compared, found.test_images)
    return [
        ("default run", "< 120 s", f"{found.seconds:.1f} s", found.seconds < 120),
        ("networks trained in it", ">= 24", f"{found.trained}", found.trained >= 24),
        ("points on its front", ">= 5", f"{found.front}", found.front >= 5),
        ("test accuracy of its best, in integers", ">= 97 %", f"{share:.2%}", share >= 0.97),
        (
            "C simulation equal to the reference",
            "all images",
            "{}/{}".format(*equal),
            equal[0] == equal[1],
        ),
        (
            "fit of the chosen network",
            "< 0.3 s",
            f"{found.fit_seconds:.3f} s",
            found.fit_seconds < 0.3,
        ),
    ]


def promises() -> list[Row]:
    """Return whether untrained networks are ranked as in the publication, where its data are."""
    if not proxies.PUBLISHED.exists():
        return []
    rank, bar = proxies.synflow_rank(), proxies.BAR
    what = f"synflow as published, {proxies.CELLS} cells"
    return [(what, f">= {bar:g}", f"{rank:.4f}", rank >= bar)]


def engines() -> list[Row]:
    """Return how fast engines are priced, at the slower of both requantisations."""
    rate = min(pricing.rate(*pricing.space(bits)) for bits in (1, 16))
    met = rate >= pricing.BAR
    return [
        ("engines priced a second, all resources", f">= {pricing.BAR:,.0f}", f"{rate:,.0f}", met)
    ]


def fits() -> list[Row]:
    """Return how long `fit` takes for large networks, and how its designs stand beside others."""
    return [*fit.rows(), *peers.rows()]


def emitted() -> list[Row]:
    """Return whether the pipeline's model and the emitted C++ are what they should be."""
    print()
    latency, error = pipeline.main()
    print()
    timed_designs = timed.main(SAMPLE)
    near = sum(one.error <= timed.NEAR for one in timed_designs)
    far = sum(one.error <= timed.FAR for one in timed_designs)
    same = sum(one.same for one in timed_designs)
    print()
    designs, wrong = exact.main(SAMPLE)
    print()
    simulated = csim.main()
    return [
        (
            "CNV on PYNQ-Z2, one image",
            "within 10 %",
            f"{latency:,} cycles, {error:+.1%}",
            abs(error) <= pipeline.BAR,
        ),
        (
            "pipeline against timed C++",
            "95 % in 1 %",
            f"{near} of {len(timed_designs)}, {same} exact",
            near >= 0.95 * len(timed_designs) and far == len(timed_designs),
        ),
        ("random designs in C++, bit-exact", "all", f"{designs - wrong} of {designs}", not wrong),
        (
            "C simulation of CNV, one image",
            f"< {csim.BAR:g} s",
            f"{simulated.run.clock:.2f} s",
            simulated.met,
        ),
    ]


def integers() -> list[Row]:
    """Return whether the same integers come out of every form of a network, and how fast."""
    print()
    exact = onnx_exact.main(SMALL)
    print()
    imported, refused, missed = onnx_foreign.main()
    print()
    passed, unknown, wrong = onnx_nodes.main()
    print()
    trips, changed = onnx_round_trips.main()
    rate = executor.speed()
    return [
        ("exports exact in ONNX Runtime", "all", "all" if exact else "not all", exact),
        (
            "quantised models of others, exact",
            "all",
            f"{imported - missed} of {imported}, {refused} refused",
            not missed,
        ),
        ("onnx node tests", "0 wrong", f"{wrong}; {passed} pass, {unknown} refused", not wrong),
        ("round trips through ONNX", "0 changed", f"{changed} of {trips}", not changed),
        (
            "integer reference on ResNet-50",
            f">= {executor.BAR / 1e9:g} GMAC/s",
            f"{rate / 1e9:.1f} GMAC/s",
            rate >= executor.BAR,
        ),
    ]


def imports(quick: bool) -> list[Row]:
    """Return how fast models are imported, and what damaged ones do."""
    print()
    seconds, met = onnx_import.main()
    print()
    files = 400 if quick else onnx_damage.FILES
    sound = onnx_damage.main(files)
    return [
        ("import of ResNet-50", f"< {onnx_import.BAR:g} s", f"{seconds:.2f} s of CPU", met),
        (f"{files} damaged ONNX files", "no fault", "none" if sound else "faults", sound),
    ]


if __name__ == "__main__":
    main()
