"""`dicom-node status | explain | retry`: what happened, why, and once more."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dicom_node import conflicts as conflicting
from dicom_node import explain as explaining
from dicom_node import status as status_of
from dicom_node.catalog import Catalog
from dicom_node.cli_shared import HERE, AsJson, ConfigPath, out, print_json, say
from dicom_node.config import Config, load_config
from dicom_node.errors import ObjectError
from dicom_node.images import Stack
from dicom_node.infer.process import ModelProcess
from dicom_node.modes import set_umask
from dicom_node.printable import printable
from dicom_node.routing import Decision, render, require_facts


def status(config: ConfigPath = HERE) -> None:
    """Show where every stack is, what waits for a peer, and what waits for a person."""
    out.print(status_of.render_status(status_of.read_status(open_catalog(load_config(config)))))


def explain(
    path: Annotated[
        Path, typer.Argument(help="A DICOM file or a folder of them, or the id of a stack in the catalog.")
    ],
    config: ConfigPath = HERE,
    *,
    as_json: AsJson = False,
) -> None:
    """Say what would run on these files and why; only the gates are run, nothing is stored or sent."""
    settings = load_config(config)
    unread: list[str] = []
    for found in explaining.explain(settings, path) if path.exists() else _stored(settings, str(path)):
        if isinstance(found, ObjectError):
            unread.append(f"dicom-node: {found}")
            continue
        stack, decision = found
        if as_json:
            out.print_json(json.dumps({"series": stack.series_uid, **decision.to_json()}))
        else:
            out.print(render(decision, stack))
    if unread:
        sys.exit(printable("\n".join(unread)))


def _stored(settings: Config, stack_id: str) -> list[tuple[Stack, Decision]]:
    row, events = status_of.history(open_catalog(settings), stack_id)
    for at, text in events:
        out.print(f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z  {text}", highlight=False)
    for line in conflicting.versions_of(open_catalog(settings), row.study_uid, row.series_uid):
        say(line)
    if row.decision is None:
        return []
    return [(Stack.from_json(row.content), Decision.from_json(row.decision))]


def retry(
    stack: Annotated[str, typer.Argument(help="The id of a stack, or its first digits; nothing: all deliveries.")] = "",
    fact: Annotated[list[str] | None, typer.Option(help="A fact that you settle, e.g. contrast=enhanced.")] = None,
    *,
    force: Annotated[bool, typer.Option(help="Run although the study is old.")] = False,
    config: ConfigPath = HERE,
    as_json: AsJson = False,
) -> None:
    """Judge and run a stack again, or send now whatever waits for a peer."""
    settings = load_config(config)
    facts = dict(_fact(pair) for pair in fact or ())
    if (facts or force) and not stack:
        raise typer.BadParameter("name the stack that --fact or --force is meant for")
    require_settled(settings, facts)
    catalog = open_catalog(settings)
    if not stack:
        count = status_of.retry_deliveries(catalog)
        if as_json:
            print_json("retry", {"deliveries": count})
        else:
            say(f"{count} deliveries are tried again now")
        return
    row = status_of.send_round_again(catalog, stack, facts, force=force)
    if as_json:
        print_json("retry", {"stack": row.id, "series": row.series_uid, "facts": facts})
    else:
        say(f"stack {row.id} of series {row.series_uid} is judged again")


def require_settled(settings: Config, facts: dict[str, str]) -> None:
    """Raise ConfigError unless a gate can answer what a person settles in its place."""
    if not facts:
        return
    require_facts(settings, {}, facts)  # an unknown name is said before the models are loaded
    if not settings.gates.keys() & facts.keys():
        return
    models = ModelProcess(settings)
    try:
        require_facts(settings, models.answers(), facts)
    finally:
        models.close()


def _fact(pair: str) -> tuple[str, str]:
    name, separator, value = pair.partition("=")
    if not (name.strip() and separator and value.strip()):
        raise typer.BadParameter(f"--fact takes NAME=VALUE, e.g. contrast=enhanced; {pair!r} came")
    return name.strip(), value.strip()


def open_catalog(settings: Config) -> Catalog:
    """Open the catalog; before the node's first start it is made, empty."""
    set_umask(settings)
    settings.storage_folder.mkdir(parents=True, exist_ok=True)
    catalog = Catalog(settings.catalog_url)
    catalog.migrate()
    return catalog
