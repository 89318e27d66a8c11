"""The chosen network on its design: written to a run's folder, and read from it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codesign.accuracy.dataset import Dataset
from codesign.design import Design
from codesign.emit.project import project
from codesign.errors import InputError
from codesign.flow import design_file
from codesign.flow.folder import RunFolder, write_text
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
        path = folder.best / "design.yaml"
        if not path.is_file():
            remedy = f"codesign resume {folder.path} goes on with the run"
            raise InputError(str(path), "is not there yet", remedy)
        network = serialize.load(folder.best / "network.json")
        design = design_file.from_tree(read_yaml(path), network.graph, str(path))
        return Best(settings, network, design)


def golden_images(network: Network, dataset: Dataset, count: int) -> Integers:
    """Return the first `count` test images (0: all) as the network's input integers."""
    return network.quantize_input(dataset.test.images[: count or len(dataset.test)])


def write_project(folder: Path, files: Mapping[str, str]) -> None:
    """Write an HLS project's files."""
    for name, text in files.items():
        write_text(folder / name, text)
