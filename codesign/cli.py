"""The commands. Heavy rooms are imported where they are used, so that `--help` is instant."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from codesign import __version__
from codesign.errors import CodesignError, InputError

if TYPE_CHECKING:
    from codesign.flow.folder import RunFolder
    from codesign.flow.prepare import Prepared, Several
    from codesign.network.model import Model

F = TypeVar("F", bound=Callable[..., Any])

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_EXIT_CODES = """
Exit codes: 0 done; 1 nothing meets the wish on this board; 2 wrong input; 3 a tool failed, or
the C++ is not what the reference computes.
"""


def _reported(command: F) -> F:
    """Turn a `CodesignError` into one line and its exit code."""

    @wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except CodesignError as error:
            click.echo(f"{type(error).__name__}: {error}", err=True)
            sys.exit(error.exit_code)

    return wrapper  # type: ignore[return-value]


@click.group(context_settings=_CONTEXT, epilog=_EXIT_CODES)
@click.version_option(__version__)
def main() -> None:
    """Search a neural network and its FPGA accelerator together, and prove that both fit."""


@main.command()
@click.argument("arguments", nargs=-1, metavar="[FLOW] [KEY=VALUE | QUANTITY>=BOUND]...")
@click.option("--out", default="runs", show_default=True, help="Folder that holds the runs.")
@click.option("--name", default="", help="Name of the run's folder  [default: DATE-BOARD-N]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@_reported
def run(arguments: tuple[str, ...], out: str, name: str, as_json: bool) -> None:
    """Search, emit, prove and report: the whole way from a wish to an HLS project.

    \b
    codesign run board=zcu104
    codesign run board=pynq_z2 'fps>=5000' 'lut<=20000' search.trials=64
    codesign run board=zcu104,pynq_z2 target.share=one
    codesign run onnx network.model=model.onnx dataset=npz dataset.path=data.npz
    """  # noqa: D301 (click reads the backspace)
    from codesign.flow.folder import RunFolder
    from codesign.flow.prepare import prepare
    from codesign.flow.settings import load_settings

    flow, changes = _flow_and_changes(arguments)
    settings = load_settings(flow, changes)
    prepared = prepare(settings)
    folder = RunFolder.create(Path(out), settings.board, name)
    folder.write_flow(settings.data)
    _go(prepared, folder, as_json)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@_reported
def resume(folder: Path, as_json: bool) -> None:
    """Go on with a run that was interrupted; the result is that of an undisturbed one."""
    from codesign.flow.folder import RunFolder
    from codesign.flow.prepare import prepare
    from codesign.flow.settings import resolve

    opened = RunFolder.open(folder)
    if opened.finished:
        click.echo(f"{folder} is finished; this is its report", err=True)
        _report(opened, as_json)
        return
    settings = resolve(opened.read_flow(), (), str(opened.flow))
    _go(prepare(settings), opened, as_json)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@_reported
def boards(as_json: bool) -> None:
    """List the boards and what they have."""
    from dataclasses import asdict

    from codesign.hardware.board import RESOURCES
    from codesign.hardware.board import boards as all_boards
    from codesign.report.columns import columns

    known = all_boards()
    if as_json:
        rows = [
            {
                "name": board.name,
                "title": board.title,
                "part": board.part,
                **asdict(board.resources),
                "clocks_mhz": list(board.clocks_mhz),
                "typical_clock_mhz": board.typical_clock_mhz,
            }
            for board in known
        ]
        click.echo(json.dumps(rows, indent=1))
        return
    header = ["board", "part", *RESOURCES, "MHz"]
    lines = [
        [
            board.name,
            board.part,
            *(f"{getattr(board.resources, kind):,}" for kind in RESOURCES),
            f"{board.typical_clock_mhz:g}",
        ]
        for board in known
    ]
    click.echo(columns(header, lines, right=range(2, len(header))))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@_reported
def flows(as_json: bool) -> None:
    """List the flows: what `codesign run` can be asked to do."""
    from codesign.load import read_yaml, resource_names, resource_path
    from codesign.report.columns import columns

    known = {name: read_yaml(resource_path("flows", name)) for name in resource_names("flows")}
    if as_json:
        click.echo(json.dumps(known, indent=1))
        return
    rows = [[name, str(data.get("title", ""))] for name, data in known.items()]
    click.echo(columns(["flow", "what it does"], rows, right=()))


@main.command()
@click.argument("name", required=False)
@click.option("--save", type=click.Path(path_type=Path), help="ONNX file to write NAME to.")
@click.option("--train", metavar="DATASET", help="Train NAME on a data set before it is saved.")
@click.option("--epochs", type=click.IntRange(1), default=5, show_default=True, help="Of training.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the weights."
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@_reported
def models(
    name: str | None, save: Path | None, train: str | None, epochs: int, seed: int, as_json: bool
) -> None:
    """List the reference networks, describe one, or save it as a float ONNX model.

    \b
    codesign models
    codesign models resnet50
    codesign models resnet50 --save resnet50.onnx
    codesign models lenet5 --train fashion_mnist --save lenet5.onnx
    """  # noqa: D301 (click reads the backspace)
    from codesign.network.model import reference, references
    from codesign.report.models import model_json, model_text, models_table

    if save and not name:
        raise click.UsageError("--save needs the NAME of a model")
    if train and not (name and save):
        raise click.UsageError("--train needs the NAME of a model, and --save")
    chosen = [reference(name)] if name else list(references())
    accuracy = _saved(chosen[0], save, train, epochs, seed) if save else None
    if as_json:
        rows = [model_json(model) for model in chosen]
        if accuracy is not None:
            rows[0]["test_accuracy"] = accuracy
        click.echo(json.dumps(rows[0] if name else rows, indent=1))
        return
    click.echo(model_text(chosen[0]) if name else models_table(chosen))
    if accuracy is not None:
        share = f"{accuracy:.2%} of the test images of {train}"
        click.echo(f"trained     {epochs} epochs: {share}, in real numbers")


def _saved(model: Model, path: Path, train: str | None, epochs: int, seed: int) -> float | None:
    """Save a reference network, and return its test accuracy if it was trained for that."""
    from codesign.network.onnx.float_export import save_floats

    if not train:
        save_floats(model.network(seed), path)
        return None
    from codesign.flow.training import train_reference

    learned = train_reference(model, train, epochs, seed)
    save_floats(learned.network, path)
    return learned.accuracy


@main.command()
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@_reported
def inspect(model: str, as_json: bool) -> None:
    """Show the layers of an ONNX file or reference network, and what cannot be imported."""
    from codesign.flow.inspection import inspect_model
    from codesign.report.inspection import inspection_json, inspection_text

    found = inspect_model(model)
    as_text = json.dumps(inspection_json(found), indent=1) if as_json else inspection_text(found)
    click.echo(as_text)
    sys.exit(InputError.exit_code if found.refusals else 0)


@main.command()
@click.argument("model")
@click.argument("changes", nargs=-1, metavar="[KEY=VALUE | QUANTITY>=BOUND]...")
@click.option("--to", type=click.Path(path_type=Path), help="ONNX file to write the integers to.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@_reported
def quantize(model: str, changes: tuple[str, ...], to: Path | None, as_json: bool) -> None:
    """Turn a float ONNX file into integers, and say what that costs.

    \b
    codesign quantize model.onnx data=images.npz --to model.int8.onnx
    codesign quantize model.onnx data=images.npz weight_bits=4 calibration=entropy
    codesign quantize model.onnx data=images.npz mean_weight_bits=4
    codesign quantize model.onnx data=images.npz board=pynq_z2 'fps>=1000'
    codesign quantize model.onnx dataset=fashion_mnist train=5 train.distill=0.7
    """  # noqa: D301 (click reads the backspace)
    from codesign.flow.quantise import quantise_model
    from codesign.report.live import Live
    from codesign.report.quantised import quantised_json, quantised_text

    found = quantise_model(model, changes, to, Live(sys.stderr, quiet=as_json).say)
    as_text = json.dumps(quantised_json(found), indent=1) if as_json else quantised_text(found)
    click.echo(as_text)
    sys.exit(0 if found.wish_met else 1)


@main.command()
@click.argument("model")
@click.argument("changes", nargs=-1, metavar="[KEY=VALUE | QUANTITY>=BOUND]...")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@_reported
def estimate(model: str, changes: tuple[str, ...], as_json: bool) -> None:
    """Price an ONNX file or reference network on its best hardware, without search or training.

    \b
    codesign estimate model.onnx board=pynq_z2
    codesign estimate model.onnx board=zcu104 weight_bits=4 'fps>=1000'
    """  # noqa: D301 (click reads the backspace)
    from codesign.flow.price import price_model
    from codesign.report.resource_fit import resource_fit

    findings, notes = price_model(model, changes)
    files = resource_fit(findings)
    click.echo(files["resource_fit.json" if as_json else "resource_fit.md"])
    for note in notes:
        click.echo(f"note: {note}", err=True)
    sys.exit(0 if findings.fits and findings.wish_met else 1)


@main.command()
@click.argument("changes", nargs=-1, metavar="family=NAME [KEY=VALUE]...")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write, or to go on with.")
@_reported
def table(changes: tuple[str, ...], out: Path | None) -> None:
    """Price a whole space of networks on its best hardware: family=nasbench201 board=zcu104."""
    from codesign.flow.tabulate import tabulate
    from codesign.report.live import Live

    click.echo(tabulate(changes, out, Live(sys.stderr).say))


@main.command()
@click.argument("arguments", nargs=-1, metavar="[FLOW] [KEY=VALUE | QUANTITY>=BOUND]...")
@click.option("--out", type=click.Path(path_type=Path), help="File for search.space=FILE.")
@click.option(
    "--samples", type=click.IntRange(1), default=12, show_default=True, help="To compare."
)
@_reported
def space(arguments: tuple[str, ...], out: Path | None, samples: int) -> None:
    """Drop what the board makes no use of: board=pynq_z2 network=resnet --out space.yaml."""
    from codesign.flow.spaces import narrow_space

    click.echo(narrow_space(*_flow_and_changes(arguments), samples, out))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="RUN")
@click.option(
    "--to", type=click.Path(path_type=Path), help="Folder to write  [default: RUN/best/hls]"
)
@_reported
def emit(folder: Path, to: Path | None) -> None:
    """Write the HLS project of a run's best network from `best/design.yaml`, edited or not."""
    from codesign.flow.again import emit_again
    from codesign.flow.folder import RunFolder

    path, digest = emit_again(RunFolder.open(folder), to)
    click.echo(f"{path}\ndigest {digest}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--timed", is_flag=True, help="With clocks and FIFOs of the emitted depths.")
@click.option("--tool", metavar="NAME", help="Another tool: timed, bambu (every process in RTL).")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@_reported
def validate(folder: Path, timed: bool, tool: str | None, as_json: bool) -> None:
    """Compile and run the C simulation of a run, or of an HLS project, and compare every layer."""
    from dataclasses import asdict

    from codesign.flow.again import measure_with, validate_again

    name = "timed" if timed else tool
    measurement = measure_with(folder, name) if name else validate_again(folder)
    if as_json:
        click.echo(json.dumps(asdict(measurement), indent=1))
    else:
        for layer in measurement.layers:
            click.echo(f"layer {layer}: equal")
        for process, taken in measurement.processes.items():
            click.echo(f"process {process}: equal, {taken:,} cycles in RTL")
        if measurement.images:
            click.echo(f"accelerator: {measurement.images} images equal")
        if measurement.ends:
            cycles = f"latency {measurement.latency:,}, interval {measurement.interval:,.0f}"
            click.echo(f"{cycles} cycles, at the claimed intervals and depths of every loop")
        if measurement.loading:
            click.echo(f"weights in URAM: loaded once, in {measurement.loading:,} cycles")
        click.echo(f"{measurement.message}  ({measurement.tool}, {measurement.seconds:.1f} s)")
    sys.exit(0 if measurement.passed else 3)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print the resource fit as JSON.")
@_reported
def report(folder: Path, as_json: bool) -> None:
    """Write the report of a run anew, and print its summary."""
    from codesign.flow.folder import RunFolder

    _report(RunFolder.open(folder), as_json)


def _report(folder: RunFolder, as_json: bool) -> None:
    """Write the report of a finished run anew, and print its summary."""
    from codesign.flow.result import report_any, result_text

    click.echo(result_text(report_any(folder), folder, as_json))


def _go(prepared: Prepared | Several, folder: RunFolder, as_json: bool) -> None:
    """Run a prepared flow in its folder, with progress on the screen."""
    from codesign.flow.result import result_text, run_any
    from codesign.report.live import Live

    live = Live(sys.stderr, quiet=as_json)
    live.say(f"run {folder.path}")
    try:
        found = run_any(prepared, folder, live.say, live.watch)
    except KeyboardInterrupt:
        live.settle()
        click.echo(f"\nstopped; 'codesign resume {folder.path}' goes on", err=True)
        sys.exit(130)
    finally:
        live.settle()
    click.echo(result_text(found, folder, as_json))


def _flow_and_changes(arguments: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the flow's name, which may stand first, and the changes."""
    if arguments and not any(sign in arguments[0] for sign in ("=", "<", ">")):
        return arguments[0], arguments[1:]
    return "quickstart", arguments


if __name__ == "__main__":
    main()
