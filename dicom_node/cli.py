"""The command line: `dicom-node serve`, `check`, `explain`, `status` and all the others."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from dicom_node import check as checking
from dicom_node import cli_conflicts, cli_status, cli_train, cli_weights, shipped
from dicom_node import conflicts as conflicting
from dicom_node import fetch as fetching
from dicom_node import verify as verifying
from dicom_node.cli_shared import HERE, AsJson, ConfigPath, known_peer, out, print_json, say
from dicom_node.config import Config, Peer, load_config
from dicom_node.deliver import Progress, Sent, StudyFound
from dicom_node.deliver import send as send_objects
from dicom_node.demo.run import run_demo
from dicom_node.errors import ConfigError, DicomNodeError
from dicom_node.imaging import dicom_files
from dicom_node.initial import start_folder
from dicom_node.modes import PRIVATE, set_umask
from dicom_node.node import serve as serve_node
from dicom_node.node import work as work_for_node
from dicom_node.printable import printable
from dicom_node.run_files import run_files

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="A DICOM network node that puts imaging AI behind a PACS. Not a medical device.",
)
app.add_typer(cli_weights.app, name="weights")
app.command()(cli_train.train)
app.command()(cli_train.evaluate)
app.command()(cli_status.status)
app.command()(cli_status.explain)
app.command()(cli_status.retry)
app.command()(cli_conflicts.conflicts)


def _print_version(asked: bool) -> None:
    if asked:
        say(f"dicom-node {version('dicom-node')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take what stands before every command."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Made where it is not there.")] = Path(),
) -> None:
    """Write a configuration whose every key is explained, and make the folders that it names."""
    config = start_folder(folder)
    say(f"{config.folder / HERE}: every key is explained there; enter your PACS under [peers.pacs]")
    say(f"{config.storage_folder}: what is received and made, and the weights that you add")
    say(f"Next, in {config.folder}: `dicom-node check`, then `dicom-node serve`")


@app.command()
def serve(config: ConfigPath = HERE) -> None:
    """Receive, decide, run and deliver until stopped."""
    serve_node(load_config(config))


@app.command()
def work(config: ConfigPath = HERE) -> None:
    """Be one more work process of a node on PostgreSQL, here or on another machine that sees its storage folder."""
    work_for_node(load_config(config))


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--out", file_okay=False, help="Where pictures and results go.")] = Path(
        "demo-output"
    ),
) -> None:
    """Show the whole way on this machine with studies made here: node, PACS, results, pictures."""
    raise typer.Exit(0 if run_demo(folder, out) else 1)


@app.command()
def check(config: ConfigPath = HERE, *, as_json: AsJson = False) -> None:
    """Prove the file, the weights, the disk, and C-ECHO to every peer."""
    proofs = checking.check(load_config(config))
    if as_json:
        print_json("check", {"proofs": [dataclasses.asdict(proof) for proof in proofs]})
    else:
        for proof in proofs:
            out.print(checking.render_proof(proof), soft_wrap=True)
    if any(proof.state == "wrong" for proof in proofs):
        raise typer.Exit(1)


@app.command()
def run(
    pipeline: Annotated[str, typer.Argument(help="A pipeline of the configuration, e.g. lung_cxr.")],
    path: Annotated[Path, typer.Argument(help="A DICOM file, a folder of one series, a NIfTI file or a picture.")],
    folder: Annotated[
        Path, typer.Option("--out", file_okay=False, help="Where DICOM results, masks and pictures go.")
    ] = Path("run-output"),
    weights: Annotated[
        list[str] | None, typer.Option(help="Another entry of the weights catalogue; ROLE=ENTRY where there are roles.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Left out: config.toml, else what comes with the program.")
    ] = None,
    *,
    raw: Annotated[
        bool, typer.Option("--raw", help="Also write raw.npz: what the network was given and gave.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run one model on files, without a node; nothing is sent."""
    settings = load_config(config or (HERE if HERE.exists() else shipped.CONFIG))
    _require_path(path)
    request = {"path": str(path), "out": str(folder), "weights": _by_role(weights or []), "raw": raw}
    written = run_files(settings, pipeline, request)
    if as_json:
        print_json("run", {"pipeline": pipeline, "files": written})
    else:
        for file in written:
            say(file)


def _by_role(entries: list[str]) -> dict[str, str]:
    """Read `ENTRY` and `ROLE=ENTRY`; the role of the first is ""."""
    return {role: name for role, _, name in (entry.rpartition("=") for entry in entries)}


def _require_path(path: Path) -> None:
    if not path.exists():
        raise ConfigError(f"{path}: there is no such file or folder")


@app.command()
def send(
    path: Annotated[Path, typer.Argument(help="A DICOM file or a folder of them.")],
    peer: Annotated[
        str,
        typer.Option(
            help="A peer of the configuration; left out, the node itself: accepted_callers must name its own AE title."
        ),
    ] = "",
    config: ConfigPath = HERE,
    *,
    as_json: AsJson = False,
) -> None:
    """Send files by C-STORE."""
    settings = load_config(config)
    node = settings.node
    ourselves = Peer(ae_title=node.ae_title, host=node.host, port=node.port or 1, tls=node.tls)
    target = known_peer(settings, peer) if peer else ourselves
    _require_path(path)
    outcomes = list(send_objects(settings, target, list(dicom_files(path))))
    bad = [sent for sent in outcomes if sent.outcome != "stored"]
    if as_json:
        print_json("send", {"peer": target.where, "objects": [dataclasses.asdict(sent) for sent in outcomes]})
    else:
        for reason, uids in _uids_by_reason(bad).items():
            others = f" and {len(uids) - 1} other objects" if len(uids) > 1 else ""
            say(f"{uids[0]}{others}: {reason}")
        say(f"{len(outcomes) - len(bad)} of {len(outcomes)} objects stored at {target.url or target.ae_title}")
    raise typer.Exit(1 if bad else 0)


def _uids_by_reason(refused: Iterable[Sent]) -> dict[str, list[str]]:
    """Return the SOP Instance UIDs of objects that were not stored, by the reason that they share."""
    uids: dict[str, list[str]] = {}
    for sent in refused:
        uids.setdefault(sent.reason, []).append(sent.sop_instance_uid)
    return uids


@app.command()
def fetch(
    peer: Annotated[str, typer.Argument(help="A peer of the configuration that answers queries.")],
    accession: Annotated[str, typer.Option(help="Accession number.")] = "",
    patient: Annotated[str, typer.Option(help="Patient ID.")] = "",
    date: Annotated[str, typer.Option(help="Study date, YYYYMMDD, or a range FROM-TO.")] = "",
    config: ConfigPath = HERE,
    *,
    as_json: AsJson = False,
) -> None:
    """Bring studies from a peer into the node; several patients under one accession number stop it."""
    settings = load_config(config)
    set_umask(settings)
    if not (accession or patient):
        raise typer.BadParameter("give --accession or --patient")
    asked = known_peer(settings, peer)
    if asked.url:
        raise typer.BadParameter(f"{peer!r} is spoken to by DICOMweb; studies are fetched by DIMSE")
    keys = {"AccessionNumber": _key(accession), "PatientID": _key(patient), "StudyDate": _dates(date)}
    studies = fetching.studies_of_one_patient(
        settings, asked, {keyword: value for keyword, value in keys.items() if value}
    )
    fetched = []
    for number, study in enumerate(studies, 1):
        name = f"study {number} of {len(studies)}, {study.date} {' '.join(study.modalities)}"
        progress = _fetched(settings, asked, study, name)
        fetched.append({"study": study.study_uid, "date": study.date, **dataclasses.asdict(progress)})
        if not as_json:
            say(f"{name}: {progress.done} objects")
    if as_json:
        print_json("fetch", {"peer": asked.where, "studies": fetched})
    elif not studies:
        say("no study matches")
    raise typer.Exit(0 if studies else 1)


def _fetched(settings: Config, peer: Peer, study: StudyFound, name: str) -> Progress:
    """Bring one study here, and show how far it is where somebody looks on."""
    progress, catalog = Progress(), cli_status.open_catalog(settings)
    with out.status(name) as shown:
        for progress in fetching.fetch(settings, catalog, peer, study):
            shown.update(f"{name}: {progress.done} of {progress.total} objects")
    return progress


def _key(value: str) -> str:
    """Refuse what a query cannot ask for as one value (PS3.5 6.2): a backslash makes several of it."""
    if "\\" in value or not value.isprintable():
        raise typer.BadParameter(f"{value!r} holds a backslash or a control character")
    return value


def _dates(text: str) -> str:
    """Refuse what is no date YYYYMMDD and no range of two (PS3.4 C.2.2.2.5)."""
    parts = [part for part in text.split("-") if part]
    try:
        days = [datetime.strptime(part, "%Y%m%d").date() for part in parts if len(part) == len("YYYYMMDD")]
    except ValueError:
        days = []
    if text and (len(days) != len(parts) or not 1 <= len(parts) <= text.count("-") + 1 <= 2 or days != sorted(days)):
        raise typer.BadParameter(f"--date takes YYYYMMDD, or a range such as 20260101-20260131; {text!r} came")
    return text


@app.command()
def verify(
    *,
    quick: Annotated[bool, typer.Option(help="Compare the sizes of received objects only, not their bytes.")] = False,
    config: ConfigPath = HERE,
    as_json: AsJson = False,
) -> None:
    """Check every file against the catalog."""
    settings = load_config(config)
    catalog = cli_status.open_catalog(settings)
    count, problems = 0, []
    for checked in verifying.verify(settings, catalog, quick=quick):
        count += 1
        if checked.problem:
            problems.append(dataclasses.asdict(checked))
            if not as_json:
                say(f"{checked.path} {checked.problem}")
    with catalog.read() as session:
        versions = conflicting.count_versions(session)
    if as_json:
        print_json("verify", {"files": count, "problems": problems, "versions": dict(versions)})
    else:
        say(f"{count} files, {len(problems)} with a problem")
        if versions:
            say(conflicting.say_versions(versions))
    raise typer.Exit(1 if problems else 0)


def main() -> None:
    """Run the command line; what is wrong with what was asked for is a sentence, not a stack trace.

    What it writes is for its user alone.
    """
    before = os.umask(PRIVATE)
    try:
        app()
    except DicomNodeError as error:
        sys.exit(printable(f"dicom-node: {error}"))
    except BrokenPipeError:  # who read our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(printable(f"dicom-node: {where}{error.strerror or error}"))
    except SQLAlchemyError as error:
        said = str(error.__cause__ or error).splitlines()[0]
        sys.exit(printable(f"dicom-node: [database] catalog cannot be used: {said}"))
    finally:
        os.umask(before)
