"""`dicom-node demo`: the whole way on this machine, with studies made up here."""

from __future__ import annotations

import datetime as dt
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import select

from dicom_node import shipped
from dicom_node.catalog import Catalog, Result, Run, Stack
from dicom_node.config import Config, Peer, load_config
from dicom_node.deliver import send
from dicom_node.demo.orthanc import Orthanc
from dicom_node.demo.overlay import overlay_png, picture_png
from dicom_node.demo.pacs import SmallPacs
from dicom_node.demo.studies import write_studies
from dicom_node.images import Stack as Content
from dicom_node.node import Node
from dicom_node.routing import Decision
from dicom_node.status import Status, read_status, render_stacks

_DEADLINE_S = 600.0
_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Pacs:
    """The PACS of the demonstration."""

    ae_title: str
    port: int
    held: Callable[[], set[str]]  # SOP Instance UIDs of what it holds
    where: str  # for people


def run_demo(out: Path, console: Console) -> bool:
    """Run the demonstration; True when every series was decided and every result is in the PACS."""
    out = out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with _a_pacs(out / "pacs") as pacs:
        config = _config(out, pacs)
        console.print(f"PACS: {pacs.ae_title}, {pacs.where}")
        with console.status("making up a chest CT with and without contrast, and a chest radiograph"):
            files = write_studies(out / "sent", day=dt.datetime.now(dt.UTC).date())
        with _a_node(config), console.status("starting the node") as said:
            sent = list(send(config, _self(config), files))
            console.print(f"sent {sum(one.outcome == 'stored' for one in sent)} of {len(files)} objects by C-STORE")
            status = _wait(Catalog(config.catalog_url), lambda status: said.update(_progress(status)))
        return _report(config, pacs, out, status, console)


@contextmanager
def _a_pacs(folder: Path) -> Iterator[Pacs]:
    """Start Orthanc where it is installed, else a small PACS of our own."""
    if shutil.which("Orthanc"):
        with Orthanc(folder) as orthanc:
            held = lambda: {one.sop_uid for one in orthanc.instances()}  # noqa: E731  # reads better than a def here
            yield Pacs(orthanc.ae_title, orthanc.dicom_port, held, f"Orthanc at {orthanc.url} while this runs")
    else:
        with SmallPacs(folder) as pacs:
            held = lambda: {path.stem for path in pacs.instances()}  # noqa: E731
            yield Pacs(pacs.ae_title, pacs.port, held, f"a small one of our own, files in {folder}")


@contextmanager
def _a_node(config: Config) -> Iterator[None]:
    node = Node(config)
    node.start()
    watch = threading.Thread(target=node.run, name="supervisor")
    watch.start()
    try:
        yield
    finally:
        node.stop()
        watch.join()


def _config(out: Path, pacs: Pacs) -> Config:
    """Return the default configuration with a folder, ports and a PACS of the demonstration's own."""
    defaults = load_config(shipped.CONFIG)
    peers = {
        name: peer.model_copy(update={"ae_title": pacs.ae_title, "port": pacs.port, "host": "127.0.0.1"})
        for name, peer in defaults.peers.items()
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return defaults.model_copy(
        update={
            "folder": out,
            "node": defaults.node.model_copy(update={"port": port, "host": "127.0.0.1"}),
            "storage": defaults.storage.model_copy(
                update={"series_quiet_s": 2.0, "study_quiet_s": 4.0, "min_free_gb": 0}
            ),
            "log": defaults.log.model_copy(update={"level": "WARNING"}),
            "peers": peers,
        }
    )


def _self(config: Config) -> Peer:
    return Peer(ae_title=config.node.ae_title, host=config.node.host, port=config.node.port)


def _wait(catalog: Catalog, told: Callable[[Status], None]) -> Status:
    """Wait until every stack has an end and every result is where it goes, or the deadline has passed."""
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        status = read_status(catalog)
        told(status)
        on_the_way = sum(count for (_, state), count in status.deliveries.items() if state == "waiting")
        done = status.instances > 0 and not status.unfinished and not on_the_way
        if done or time.monotonic() > deadline:
            return status
        time.sleep(_POLL_S)


def _progress(status: Status) -> str:
    states = ", ".join(f"{count} {state}" for state, count in sorted(status.stacks.items()))
    coming = f"{status.instances} instances received, {status.pending_series} series still coming in"
    return f"{coming}; stacks: {states or '-'}"


def _report(config: Config, pacs: Pacs, out: Path, status: Status, console: Console) -> bool:
    console.print(render_stacks(status.latest))
    console.print(_facts_table(status.latest))
    held = pacs.held()
    results = _results(config)
    table = Table("result", "by", "SOP Instance UID", "in the PACS", "picture", title="results")
    for result, run in results:
        picture = _picture(config, result, run, out)
        table.add_row(result.kind, run.pipeline, result.uid, "yes" if result.uid in held else "NO", picture)
    console.print(table)
    arrived = all(result.uid in held for result, _ in results)
    _say_what_next(out, console)
    return status.unfinished == 0 and arrived and bool(results)


def _facts_table(stacks: Sequence[Stack]) -> Table:
    table = Table("series", "gate", "the pixels say", "the header says", "so", title="gates")
    for stack in stacks:
        for gate in Decision.from_json(stack.decision or {"verdict": "held", "reason": ""}).gates:
            seen = gate.answer.problem or f"{gate.answer.value} ({gate.answer.detail})"
            table.add_row(
                f"…{stack.series_uid[-12:]}", gate.gate, escape(seen), gate.answer.claim or "nothing", gate.value
            )
    return table


def _results(config: Config) -> list[tuple[Result, Run]]:
    with Catalog(config.catalog_url).read() as session:
        query = select(Result, Run).join(Run, Result.run_id == Run.id).order_by(Run.at, Result.kind)
        return [(result, run) for result, run in session.execute(query).all()]


def _picture(config: Config, result: Result, run: Run, out: Path) -> str:
    """Draw a result that has pixels, and return the picture's path; "" for the others."""
    path, picture = config.storage_folder / result.path, out / f"{run.pipeline}-{result.kind}-{result.uid[-6:]}.png"
    if result.kind == "SEG":
        overlay_png(_stack(config, run), path, picture)
    elif result.kind == "SC":
        picture_png(path, picture)
    return picture.name if picture.exists() else ""


def _stack(config: Config, run: Run) -> Content:
    with Catalog(config.catalog_url).read() as session:
        return Content.from_json(session.get_one(Stack, run.stack_id).content)


def _say_what_next(out: Path, console: Console) -> None:
    node = load_config(shipped.CONFIG).node
    console.print(
        f"\nPictures, results and what was sent: {out}\n"
        "Next: edit config.toml (your PACS under [peers.pacs]), then\n"
        "  dicom-node check\n"
        "  dicom-node serve\n"
        f"and send a study to {node.ae_title} at {node.host}, port {node.port}, or: dicom-node send FOLDER\n"
        "None of this is a medical device.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
