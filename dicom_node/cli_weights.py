"""`dicom-node weights list | import | probe`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from dicom_node.config import load_config
from dicom_node.errors import DicomNodeError, WeightsError
from dicom_node.weights_store import read_catalog

app = typer.Typer(no_args_is_help=True, help="The weight files that pipelines run with.")
_out = Console()

ConfigPath = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
_HERE = Path("config.toml")


@app.command("list")
def list_entries(config: ConfigPath = _HERE) -> None:
    """Show every entry of the weights catalogue with its card."""
    table = Table("name", "recipe", "quality", "licence", "state")
    for entry in read_catalog(load_config(config).weights_folder).values():
        try:
            entry.verify()
            state = "ok"
        except DicomNodeError as error:
            state = str(error)
        card = entry.card
        table.add_row(entry.name, entry.recipe, str(card.get("quality", "")), str(card.get("licence", "")), state)
    _out.print(table)
    _out.print("None of these is a medical device.")


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A published Keras .h5 or PyTorch checkpoint.")],
    name: Annotated[str, typer.Option("--as", help="The entry's name in the catalogue.")],
    recipe: Annotated[str, typer.Option(help="Whose tensors these are; may be left out where only one fits.")] = "",
    config: ConfigPath = _HERE,
) -> None:
    """Check every tensor of a published checkpoint and add it to the catalogue."""
    folder = load_config(config).weights_folder
    entry = _frameworks("importing").import_published(file, name, folder, recipe or None)
    _out.print(f"{entry.name}: {entry.path}, recipe {entry.recipe}, SHA-256 {entry.sha256}", soft_wrap=True)


@app.command()
def probe(
    name: Annotated[str, typer.Argument(help="An entry of the catalogue, of a published recipe.")],
    batch: Annotated[Path, typer.Option("--input", help="An .npy array in the published layout.")],
    output: Annotated[Path, typer.Option(help="The .npz that every output of the network is written to.")],
    config: ConfigPath = _HERE,
) -> None:
    """Run an entry's bare network on an array: proves that an import is right."""
    known = read_catalog(load_config(config).weights_folder)
    if name not in known:
        raise WeightsError(f"no entry {name!r} in the catalogue; there are {', '.join(sorted(known))}")
    found = _frameworks("runner").probe(known[name], np.load(batch, allow_pickle=False))
    np.savez(output, **found)
    for key, array in found.items():
        _out.print(f"{key}: {array.shape}, {array.min():.6g} to {array.max():.6g}")


def _frameworks(module: str) -> Any:
    """Import what needs torch only now: the other commands start without it."""
    return importlib.import_module(f"pipelines.published.{module}")
