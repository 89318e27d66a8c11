"""The chosen network on its design: written to a run's folder, and read from it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from codesign.accuracy.dataset import Dataset
from codesign.cost.pipeline import Deadlock, simulate
from codesign.cost.timing import Timing
from codesign.design import Design
from codesign.emit.project import project
from codesign.errors import InputError
from codesign.fit.settle import IMAGES
from codesign.flow import design_file
from codesign.flow.folder import RunFolder, write_text
from codesign.flow.prepare import with_ceilings
from codesign.flow.settings import Settings, resolve
from codesign.load import read_yaml, yaml_text
from codesign.network import onnx, serialize
from codesign.network.network import Network
from codesign.network.op import Integers


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """What a run decided on."""

    settings: Settings
    network: Network
    design: Design

    def project(self, dataset: Dataset) -> dict[str, str]:
        """Return the HLS project's files, with the data set's test images as golden data."""
        wanted = self.settings.validation
        return project(
            self.design,
            self.network,
            golden_images(self.network, dataset, wanted.images),
            wanted.layer_images,
        )

    def digest(self) -> str:
        """Return the SHA-256 of what the design file says, however it is laid out."""
        tree = design_file.to_tree(self.design, self.design.board.name)
        return sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()

    def write(self, folder: RunFolder) -> None:
        """Write network and design; the project is written apart."""
        try:
            folder.best.mkdir(exist_ok=True)
            serialize.save(self.network, folder.best / "network.json")
        except OSError as error:
            problem = f"cannot be written ({error.strerror})"
            raise InputError(str(folder.best), problem, "free or permit the space") from error
        onnx.save(self.network, folder.best / "model.onnx")
        tree = design_file.to_tree(self.design, self.settings.board)
        folder.write({"best/design.yaml": yaml_text(tree)})

    @staticmethod
    def read(folder: RunFolder) -> Best:
        """Read network and design of a finished run; the design file may have been edited.

        Raises:
            InputError: the run is not that far, or a file is damaged.
        """
        settings = resolve(folder.read_flow(), (), str(folder.flow))
        if len(settings.boards) > 1:
            own = folder.of_board(Path(settings.boards[0]).stem).path
            raise InputError(str(folder.path), "is of several boards", f"name one's, e.g. {own}")
        path = folder.best / "design.yaml"
        if not path.is_file():
            remedy = f"codesign resume {folder.path} goes on with the run"
            raise InputError(str(path), "is not there yet", remedy)
        network = serialize.load(folder.best / "network.json")
        design = design_file.from_tree(read_yaml(path), network.graph, str(path))
        board = with_ceilings(design.board, settings.hardware.ceilings)
        return Best(settings, network, replace(design, board=board))

    def run(self, folder: RunFolder) -> Timing:
        """Run several images through the design, whose FIFO depths may have been edited.

        Raises:
            InputError: its FIFOs are too shallow for it to go on.
        """
        try:
            return simulate(self.design, IMAGES)
        except Deadlock as error:
            place = f"{folder.best / 'design.yaml'}: fifo_depths"
            problem = f"the design stands still: {error}"
            raise InputError(place, problem, "deepen these FIFOs") from error


def golden_images(network: Network, dataset: Dataset, count: int) -> Integers:
    """Return the first `count` test images (0: all) as the network's input integers."""
    return network.quantize_input(dataset.test.images[: count or len(dataset.test)])


def write_project(folder: Path, files: Mapping[str, str]) -> None:
    """Write an HLS project's files, and take away the sources of an earlier one."""
    for name in _sources(folder) - set(files):
        (folder / name).unlink()
    for name, text in files.items():
        write_text(folder / name, text)


def _sources(folder: Path) -> set[str]:
    """Return what the Makefile would compile or read, by path."""
    patterns = ("src/*.cpp", "src/parameters/*.inc", "tb/data/*.txt")
    found = (path for pattern in patterns for path in folder.glob(pattern))
    return {path.relative_to(folder).as_posix() for path in found}
