"""The command line: `dicom-node serve`, `check`, `explain`, `status` and all the others."""

from __future__ import annotations

import importlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dicom_node import check as checking
from dicom_node import cli_train, cli_weights
from dicom_node import explain as explaining
from dicom_node import fetch as fetching
from dicom_node import status as status_of
from dicom_node import verify as verifying
from dicom_node.catalog import Catalog
from dicom_node.config import Config, Peer, load_config
from dicom_node.deliver import Progress
from dicom_node.deliver import send as send_objects
from dicom_node.demo.run import run_demo
from dicom_node.errors import DicomNodeError, ObjectError
from dicom_node.images import Stack
from dicom_node.imaging import dicom_files
from dicom_node.node import serve as serve_node
from dicom_node.node import work as work_for_node
from dicom_node.routing import Decision, render

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="A DICOM network node that puts imaging AI behind a PACS. Not a medical device.",
)
app.add_typer(cli_weights.app, name="weights")
app.command()(cli_train.train)
app.command()(cli_train.evaluate)
_out = Console()

ConfigPath = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
_HERE = Path("config.toml")


@app.command()
def serve(config: ConfigPath = _HERE) -> None:
    """Receive, decide, run and deliver until stopped."""
    serve_node(load_config(config))


@app.command()
def work(config: ConfigPath = _HERE) -> None:
    """Be one more work process of a node on PostgreSQL, here or on another machine that sees its storage folder."""
    work_for_node(load_config(config))


@app.command()
def demo(out: Annotated[Path, typer.Option(help="Where pictures and results go.")] = Path("demo-output")) -> None:
    """Show the whole way on this machine with studies made here: node, PACS, results, pictures."""
    raise typer.Exit(0 if run_demo(out, _out) else 1)


@app.command()
def check(config: ConfigPath = _HERE) -> None:
    """Prove the file, the weights, the disk, and C-ECHO to every peer."""
    proofs = checking.check(load_config(config))
    _out.print(checking.render_check(proofs))
    if any(proof.state == "wrong" for proof in proofs):
        raise typer.Exit(1)


@app.command()
def explain(
    path: Annotated[
        Path, typer.Argument(help="A DICOM file or a folder of them, or the id of a stack in the catalog.")
    ],
    config: ConfigPath = _HERE,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the decisions as JSON.")] = False,
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
            _out.print_json(json.dumps({"series": stack.series_uid, **decision.to_json()}))
        else:
            _out.print(render(decision, stack))
    if unread:
        sys.exit("\n".join(unread))


def _stored(settings: Config, stack_id: str) -> list[tuple[Stack, Decision]]:
    row, events = status_of.history(_catalog(settings), stack_id)
    for at, text in events:
        _out.print(f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z  {text}", highlight=False)
    if row.decision is None:
        return []
    return [(Stack.from_json(row.content), Decision.from_json(row.decision))]


@app.command()
def run(
    pipeline: Annotated[str, typer.Argument(help="A pipeline of the configuration, e.g. lung_cxr.")],
    path: Annotated[Path, typer.Argument(help="A DICOM file, a folder of one series, a NIfTI file or a picture.")],
    out: Annotated[Path, typer.Option(help="Where DICOM results, masks and pictures go.")],
    weights: Annotated[
        list[str] | None, typer.Option(help="Another entry of the weights catalogue; ROLE=ENTRY where there are roles.")
    ] = None,
    config: ConfigPath = _HERE,
    *,
    raw: Annotated[
        bool, typer.Option("--raw", help="Also write raw.npz: what the network was given and gave.")
    ] = False,
) -> None:
    """Run one model on files, without a node; nothing is sent."""
    library = importlib.import_module("dicom_node.library")  # needs torch, which the other commands start without
    settings = library.with_changes(load_config(config), pipeline, _by_role(weights or []))
    for file in library.run_to_files(settings, pipeline, path, out, raw=raw):
        _out.print(str(file), soft_wrap=True, highlight=False)


def _by_role(entries: list[str]) -> dict[str, str]:
    """Read `ENTRY` and `ROLE=ENTRY`; the role of the first is ""."""
    return {role: name for role, _, name in (one.rpartition("=") for one in entries)}


@app.command()
def send(
    path: Annotated[Path, typer.Argument(help="A DICOM file or a folder of them.")],
    peer: Annotated[str, typer.Option(help="A peer of the configuration; the node itself when left out.")] = "",
    config: ConfigPath = _HERE,
) -> None:
    """Send files by C-STORE."""
    settings = load_config(config)
    node = settings.node
    target = (
        settings.peers[peer] if peer else Peer(ae_title=node.ae_title, host=node.host, port=node.port, tls=node.tls)
    )
    outcomes = list(send_objects(settings, target, list(dicom_files(path))))
    bad = [sent for sent in outcomes if sent.outcome != "stored"]
    for sent in bad:
        _out.print(f"{sent.sop_instance_uid}: {sent.reason}")
    _out.print(f"{len(outcomes) - len(bad)} of {len(outcomes)} objects stored at {target.url or target.ae_title}")
    raise typer.Exit(1 if bad else 0)


@app.command()
def fetch(
    peer: Annotated[str, typer.Argument(help="A peer of the configuration that answers queries.")],
    accession: Annotated[str, typer.Option(help="Accession number.")] = "",
    patient: Annotated[str, typer.Option(help="Patient ID.")] = "",
    date: Annotated[str, typer.Option(help="Study date, YYYYMMDD, or a range FROM-TO.")] = "",
    config: ConfigPath = _HERE,
) -> None:
    """Bring studies from a peer into the node; several patients under one accession number stop it."""
    settings = load_config(config)
    if not (accession or patient):
        raise typer.BadParameter("give --accession or --patient")
    if peer not in settings.peers:
        raise typer.BadParameter(f"{peer!r} is no peer of {config}")
    if settings.peers[peer].url:
        raise typer.BadParameter(f"{peer!r} is spoken to by DICOMweb; studies are fetched by DIMSE")
    asked = {"AccessionNumber": accession, "PatientID": patient, "StudyDate": date}
    keys = {keyword: value for keyword, value in asked.items() if value}
    studies = fetching.studies_of_one_patient(settings, settings.peers[peer], keys)
    catalog = _catalog(settings)
    for number, study in enumerate(studies, 1):
        progress = Progress()
        name = f"study {number} of {len(studies)}, {study.date} {' '.join(study.modalities)}"
        with _out.status(name) as shown:
            for progress in fetching.fetch(settings, catalog, settings.peers[peer], study):
                shown.update(f"{name}: {progress.done} of {progress.total} objects")
        _out.print(f"{name}: {progress.done} objects", highlight=False)
    if not studies:
        _out.print("no study matches")
        raise typer.Exit(1)


@app.command()
def status(config: ConfigPath = _HERE) -> None:
    """Show where every stack is, what waits for a peer, and what waits for a person."""
    _out.print(status_of.render_status(status_of.read_status(_catalog(load_config(config)))))


@app.command()
def retry(
    stack: Annotated[str, typer.Argument(help="The id of a stack, or its first digits; nothing: all deliveries.")] = "",
    fact: Annotated[list[str] | None, typer.Option(help="A fact that you settle, e.g. contrast=enhanced.")] = None,
    *,
    force: Annotated[bool, typer.Option(help="Run although the study is old.")] = False,
    config: ConfigPath = _HERE,
) -> None:
    """Judge and run a stack again, or send now whatever waits for a peer."""
    catalog = _catalog(load_config(config))
    if not stack:
        _out.print(f"{status_of.retry_deliveries(catalog)} deliveries are tried again now")
        return
    facts = dict(pair.split("=", 1) for pair in fact or ())
    row = status_of.send_round_again(catalog, stack, facts, force=force)
    _out.print(f"stack {row.id} of series {row.series_uid} is judged again")


@app.command()
def verify(
    *,
    quick: Annotated[bool, typer.Option(help="Compare the sizes of received objects only, not their bytes.")] = False,
    config: ConfigPath = _HERE,
) -> None:
    """Check every file against the catalog."""
    settings = load_config(config)
    count = problems = 0
    for one in verifying.verify(settings, _catalog(settings), quick=quick):
        count += 1
        if one.problem:
            problems += 1
            _out.print(f"{one.path} {one.problem}", soft_wrap=True, highlight=False)
    _out.print(f"{count} files, {problems} with a problem")
    raise typer.Exit(1 if problems else 0)


def _catalog(settings: Config) -> Catalog:
    """Open the catalog; before the node's first start it is made, empty."""
    settings.storage_folder.mkdir(parents=True, exist_ok=True)
    catalog = Catalog(settings.catalog_url)
    catalog.migrate()
    return catalog


def main() -> None:
    """Run the command line; an error of ours is one line, not a stack trace."""
    try:
        app()
    except DicomNodeError as error:
        sys.exit(f"dicom-node: {error}")
