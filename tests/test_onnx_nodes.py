"""The onnx package's own tests of operators pass, or are refused by name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from node_cases import cases, outcome

from codesign.network.onnx.operators import OPERATORS, QUANTISED, RECOGNISED

UNTESTED = {QUANTISED, RECOGNISED}
"""Our own, between two passes of the import."""


@pytest.mark.parametrize("operator", sorted(cases()))
def test_node_tests_pass_or_are_refused_by_name(operator: str, tmp_path: Path) -> None:
    for case in cases()[operator]:
        result, reason = outcome(case, tmp_path)
        assert result in ("passed", "refused"), f"{case.name}: {result} {reason}"
        if result == "refused":
            assert reason, case.name
            assert "\n" not in reason


def test_every_operator_has_node_tests() -> None:
    assert OPERATORS.keys() - UNTESTED == cases().keys()


def test_what_was_imported_stays_imported(tmp_path: Path) -> None:
    found = {
        operator: Counter(outcome(case, tmp_path)[0] for case in own)
        for operator, own in cases().items()
    }
    passed = {operator: count["passed"] for operator, count in found.items()}
    assert sum(passed.values()) >= 140
    assert {"Conv", "Relu", "HardSwish", "GlobalAveragePool"} <= {
        operator for operator, count in found.items() if not count["refused"]
    }
