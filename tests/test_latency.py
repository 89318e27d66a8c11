"""The latency rules against real synthesis reports, and by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from codesign.cost import latency
from codesign.hardware.chain import Chain, Operator, Step
from codesign.hardware.structure import Loop, Part, Phase, Stream, Structure

REPORTS = Path(__file__).parents[2] / "shared" / "data" / "hls_reports"
needs_reports = pytest.mark.skipif(not REPORTS.is_dir(), reason=f"no reports in {REPORTS}")


@dataclass(frozen=True)
class ReportedLoop:
    """A pipelined loop as a report gives it, with all four numbers known."""

    trips: int
    latency: int
    ii: int
    depth: int


def pipelined(element: ET.Element) -> ReportedLoop | None:
    texts = [element.findtext(k) for k in ("TripCount", "Latency", "PipelineII", "PipelineDepth")]
    if not all(text and text.strip().isdigit() for text in texts):
        return None
    return ReportedLoop(*(int(text or "") for text in texts))


def structure(trips: int, ii: int, stages: int) -> Structure:
    chain = Chain((Step(Operator.CONTROL, times=stages),))
    loop = Loop("nest", {"t": trips}, chain, ii)
    words = Stream("source", 1, 8, False, trips)
    return Structure((words,), (words,), loop, (Phase(1, (Part(trips, trips, trips),)),))


@needs_reports
def test_pipelined_loops_of_reports() -> None:
    """Tools of 2018 to 2023; depth 1 (trips * ii cycles) does not occur in our processes."""
    trees = [ET.parse(path) for path in sorted(REPORTS.rglob("*.xml"))]  # noqa: S314
    loops = [loop for tree in trees for e in tree.iter() if (loop := pipelined(e))]
    loops = [loop for loop in loops if loop.depth > 1]
    exact = [latency.loop_cycles(p.trips, p.ii, p.depth) == p.latency for p in loops]
    assert len(loops) >= 60
    assert sum(exact) / len(exact) >= 0.96


@needs_reports
def test_functions_around_one_loop_of_vitis_reports() -> None:
    functions = 0
    for path in sorted((REPORTS / "vitis_2023.2_streamhls").glob("*.xml")):
        for module in ET.parse(path).iter("Module"):  # noqa: S314
            inside = module.findall("PerformanceEstimates/SummaryOfLoopLatency/*")
            loop = pipelined(inside[0]) if len(inside) == 1 else None
            if loop is None:
                continue
            reported = module.findtext(
                "PerformanceEstimates/SummaryOfOverallLatency/Best-caseLatency"
            )
            assert latency.process_cycles(structure(loop.trips, loop.ii, loop.depth)) == int(
                reported or ""
            )
            functions += 1
    assert functions >= 30


@needs_reports
@pytest.mark.parametrize(
    ("report", "slowest", "interval"),
    [
        # node2: 6,422,528 iterations, depth 21; the dataflow's interval is one cycle more
        ("Autoencoder", structure(6422528, 1, 21), 6422550),
        ("DepthwiseSeparableConvBlock", structure(903168, 4, 17), 3612687),
        ("ResidualBlock", structure(7225344, 4, 17), 28901391),
    ],
)
def test_the_interval_of_a_dataflow_is_its_slowest_process(
    report: str, slowest: Structure, interval: int
) -> None:
    text = (REPORTS / f"vitis_2023.2_streamhls/{report}_csynth.xml").read_text()
    assert f"<PipelineInitiationInterval>{interval}<" in text
    assert latency.process_interval(slowest) == interval


def test_by_hand() -> None:
    assert latency.loop_cycles(trips=100, ii=1, depth=5) == 103  # 99 + 5 - 1
    assert latency.loop_cycles(trips=100, ii=2, depth=5) == 202
    one = structure(100, 1, 5)
    assert latency.process_cycles(one) == 105
    assert latency.process_interval(one) == 106
    # a frame's first iteration starts that long after the last one of the frame before
    assert one.loop.gap == 106 - 99


def test_the_gap_between_frames_closes_the_interval() -> None:
    for trips, ii, stages in ((1, 1, 2), (7, 1, 9), (50, 3, 4)):
        one = structure(trips, ii, stages)
        total = (trips - 1) * ii + one.loop.gap
        assert latency.process_interval(one) == total


def test_longest_silence() -> None:
    steps, folds = np.array([4, 2, 1]), np.array([1, 3, 5])
    matrix = (
        Phase(
            9,
            (Part(steps, steps, 1 + 0 * steps), Part((folds - 1) * steps, 0 * steps, folds - 1)),
        ),
    )
    assert latency.longest_silence(matrix).tolist() == [0, 4, 4]
    window = (
        Phase(1, (Part(8, 8, 0),)),
        Phase(3, (Part(20, 4, 20),)),
        Phase(1, (Part(20, 2, 20),)),
        Phase(2, (Part(20, 0, 20),)),
    )
    assert latency.longest_silence(window) == 40
    assert latency.longest_silence((Phase(1, (Part(5, 5, 5),)),)) == 0
