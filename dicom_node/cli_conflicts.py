"""`dicom-node conflicts`: what waits for a person, shown and settled."""

from __future__ import annotations

from typing import Annotated

import typer

from dicom_node import conflicts as conflicting
from dicom_node.cli_shared import HERE, AsJson, ConfigPath, out, print_json, say
from dicom_node.cli_status import open_catalog
from dicom_node.config import load_config
from dicom_node.config_words import did_you_mean

_ACTIONS = {"list": "", "keep": "VERSION", "settle": "RESULT"}  # and what each is about


def conflicts(
    action: Annotated[str, typer.Argument(help="list, keep, or settle.")] = "list",
    version: Annotated[
        str, typer.Argument(help="For keep a version, by its first digits; for settle a result's SOP Instance UID.")
    ] = "",
    config: ConfigPath = HERE,
    *,
    as_json: AsJson = False,
) -> None:
    """Show versions of an image that contradict each other, and results that may stand elsewhere; settle them."""
    settings = load_config(config)
    if action not in _ACTIONS:
        raise typer.BadParameter(f"there is no action {action!r}{did_you_mean(action, _ACTIONS)}")
    if bool(version) != bool(_ACTIONS[action]):
        raise typer.BadParameter(f"write `dicom-node conflicts {action} {_ACTIONS[action]}`".replace(" `", "`"))
    catalog = open_catalog(settings)
    if action == "list":
        found, misfiled = conflicting.find_conflicts(settings, catalog), conflicting.find_misfiled(catalog)
        if as_json:
            print_json("conflicts", conflicting.as_values(found, misfiled))
        else:
            out.print(conflicting.render_conflicts(found), conflicting.render_misfiled(misfiled), sep="\n")
        return
    said = conflicting.keep(settings, catalog, version) if action == "keep" else conflicting.settle(catalog, version)
    if as_json:
        print_json(f"conflicts {action}", {"said": said})
    else:
        say(said)
