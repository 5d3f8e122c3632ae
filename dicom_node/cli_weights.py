"""`dicom-node weights list | import | probe`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from dicom_node import cards
from dicom_node.cli_shared import HERE, AsJson, ConfigPath, out, print_json, say
from dicom_node.config import Config, load_config
from dicom_node.config_words import did_you_mean
from dicom_node.errors import WeightsError
from dicom_node.infer.tensorflow_process import TensorFlowProcess
from dicom_node.weights_import import is_model, keep_model
from dicom_node.weights_store import Weights, known_weights

app = typer.Typer(no_args_is_help=True, help="The weight files that pipelines run with.")


@app.command("list")
def list_entries(
    name: Annotated[str, typer.Argument(help="An entry whose whole card is wanted.")] = "",
    *,
    card: Annotated[bool, typer.Option("--card", help="Every entry's whole card.")] = False,
    config: ConfigPath = HERE,
    as_json: AsJson = False,
) -> None:
    """Show the weights catalogue, or the card of an entry: use, limits, quality, licence."""
    known = known_weights(load_config(config).weights_folder)
    if as_json:
        entries = [_known(known, name)] if name else known.values()
        print_json("weights list", {"entries": [_plain(entry) for entry in entries]})
        return
    if card or name:
        for entry in [_known(known, name)] if name else known.values():
            out.print(cards.card_table(entry))
    else:
        out.print(cards.entries_table(list(known.values())))
    out.print(cards.NOTICE)


@app.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(help="A published Keras .h5 or PyTorch checkpoint, a .keras file or a SavedModel's folder."),
    ],
    name: Annotated[str, typer.Option("--as", help="The entry's name in the catalogue.")],
    recipe: Annotated[str, typer.Option(help="Whose tensors these are; may be left out where only one fits.")] = "",
    *,
    as_it_is: Annotated[bool, typer.Option(help="Keep a Keras .h5 for TensorFlow to run, unconverted.")] = False,
    config: ConfigPath = HERE,
    as_json: AsJson = False,
) -> None:
    """Check every tensor of a published checkpoint, or a whole model, and add it to the catalogue."""
    folder = load_config(config).weights_folder
    if is_model(file):
        entry = keep_model(file, name, folder, recipe)
    else:
        importing = _frameworks("importing")
        add = importing.keep_published if as_it_is else importing.import_published
        entry = add(file, name, folder, recipe or None)
    if as_json:
        print_json("weights import", {"entry": _plain(entry)})
    else:
        say(f"{entry.name}: {entry.path}, recipe {entry.recipe}, SHA-256 {entry.sha256}")


@app.command()
def probe(
    name: Annotated[str, typer.Argument(help="An entry of the catalogue, of a published recipe.")],
    batch: Annotated[Path, typer.Option("--input", help="An .npy array in the published layout.")],
    output: Annotated[Path, typer.Option(help="The .npz that every output of the network is written to.")],
    config: ConfigPath = HERE,
    *,
    as_json: AsJson = False,
) -> None:
    """Run an entry's bare network on an array: proves that an import is right."""
    settings = load_config(config)
    entry = _known(known_weights(settings.weights_folder), name)
    found = _probed(settings, entry, _array(batch))
    np.savez(output, **found)  # type: ignore[arg-type]  # NumPy types the names that are options, not arrays
    if as_json:
        shown = {name: _range(array) for name, array in found.items()}
        print_json("weights probe", {"file": output, "outputs": shown})
        return
    for key, array in found.items():
        say(f"{key}: {array.shape}, {array.min():.6g} to {array.max():.6g}")


def _range(array: NDArray[Any]) -> dict[str, Any]:
    return {"shape": array.shape, "min": float(array.min()), "max": float(array.max())}


def _array(path: Path) -> NDArray[Any]:
    try:
        found: NDArray[Any] = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise WeightsError(f"{path}: is no .npy array") from error
    return found


def _plain(entry: Weights) -> dict[str, Any]:
    stated = {"name": entry.name, "path": entry.path, "sha256": entry.sha256, "recipe": entry.recipe}
    return {**stated, "framework": entry.framework, "card": dict(entry.card)}


def _known(entries: dict[str, Weights], name: str) -> Weights:
    if name not in entries:
        there = did_you_mean(name, entries) or f"; there are {', '.join(sorted(entries)) or 'none'}"
        raise WeightsError(f"no entry {name!r} in the catalogue{there}")
    return entries[name]


def _probed(settings: Config, entry: Weights, array: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    if entry.framework == "torch":
        found: dict[str, NDArray[np.float32]] = _frameworks("runner").probe(entry, array)
        return found
    process = TensorFlowProcess(settings)
    try:
        return process.opened(entry, "cpu").network.outputs(array)
    finally:
        process.close()


def _frameworks(module: str) -> Any:
    """Import what needs torch only now: the other commands start without it."""
    return importlib.import_module(f"pipelines.published.{module}")
