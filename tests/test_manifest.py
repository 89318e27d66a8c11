"""What a finished run says of itself, and what it says when it cannot."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from codesign.errors import InputError
from codesign.flow.folder import RunFolder
from codesign.flow.manifest import Manifest
from codesign.report.findings import FitSummary
from codesign.validate.measurement import Measurement

MANIFEST = Manifest(
    versions={"python": "3.11"},
    seed=3,
    dataset={"name": "digits", "splits": {"train": {"images": 5}}},
    chosen=2,
    stop="the budget of trials is spent",
    accuracy={"validation": 0.5, "test": 1.0},
    fit=FitSummary(interval=9, bound=7, advice="none", excess={"lut": 2}),
    design_digests={"fitted": "a", "emitted": "b"},
    network_digest="c",
    validation=Measurement("g++", "12", "d", True, "PASS", 5, ("conv0",), 0.25, "csim.log"),
    seconds={"fit": 0.1},
)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, "zcu104", "mine")


def test_a_manifest_comes_back(folder: RunFolder) -> None:
    MANIFEST.write(folder)
    assert Manifest.read(folder) == MANIFEST
    replace(MANIFEST, chosen=0).write(folder)
    assert Manifest.read(folder).chosen == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, r"is not there yet; codesign resume .*mine completes the run"),
        ("{", "cannot be read"),
        ("[]", "is no manifest of schema 1"),
        ("{}", "is no manifest of schema 1"),
        (json.dumps({"schema": 2}), "is no manifest of schema 1"),
        (json.dumps(asdict(MANIFEST) | {"seed": "x"}), "seed: must be an integer, got 'x'"),
        (json.dumps({"schema": 1, "seed": 1}), "versions: is missing"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_named(
    folder: RunFolder, text: str | None, words: str
) -> None:
    if text is not None:
        folder.manifest.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        Manifest.read(folder)
    assert "manifest.json" in str(caught.value)
