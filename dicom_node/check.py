"""`dicom-node check`: prove what the configuration asks for, and say what to do about what is not right."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from rich.markup import escape
from rich.table import Table

from dicom_node.catalog import Catalog
from dicom_node.config import Config
from dicom_node.deliver import ask
from dicom_node.errors import DicomNodeError
from dicom_node.infer.process import ModelProcess

_GB = 1e9
_STYLES = {"ok": "green", "off": "yellow", "wrong": "red"}


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that was tried."""

    what: str
    state: Literal["ok", "off", "wrong"]  # off: it works, but a part of it will not run
    seen: str
    advice: str = ""


def check(config: Config) -> list[Proof]:
    """Try everything that the configuration relies on."""
    return [
        *_storage(config),
        _tried("catalog", lambda: _catalog(config), "look at [database] catalog, or at who else holds the file"),
        _listening(config),
        *_pipelines(config),
        *_peers(config),
    ]


def render_check(proofs: Iterable[Proof]) -> Table:
    """Return the table for a terminal."""
    table = Table("what", "", "seen", "what to do about it")
    for proof in proofs:
        style = _STYLES[proof.state]
        table.add_row(proof.what, f"[{style}]{proof.state}[/{style}]", escape(proof.seen), escape(proof.advice))
    return table


def _tried(what: str, attempt: Callable[[], str], advice: str) -> Proof:
    try:
        return Proof(what, "ok", attempt())
    except Exception as error:  # noqa: BLE001  # whatever is wrong is what this command is there to say
        return Proof(what, "wrong", f"{type(error).__name__}: {error}".splitlines()[0], advice)


def _storage(config: Config) -> Iterator[Proof]:
    folder = config.storage_folder
    yield _tried("storage", lambda: _writable(config), f"make {folder} writable for this user")
    place = folder if folder.exists() else config.folder
    free_gb = shutil.disk_usage(place).free / _GB
    seen, least = f"{free_gb:.1f} GB free", config.storage.min_free_gb
    if free_gb < least:
        yield Proof("disk", "wrong", seen, f"free some: below min_free_gb = {least:g}, C-STORE is answered 0xA700")
    else:
        yield Proof("disk", "ok", seen)


def _writable(config: Config) -> str:
    config.storage_folder.mkdir(parents=True, exist_ok=True)
    probe = config.storage_folder / f"probe-{os.getpid()}"
    probe.write_bytes(b"")
    probe.unlink()
    return str(config.storage_folder)


def _catalog(config: Config) -> str:
    catalog = Catalog(config.catalog_url)
    catalog.migrate()
    catalog.close()
    return catalog.engine.url.render_as_string(hide_password=True)


def _listening(config: Config) -> Proof:
    where = f"{config.node.host}:{config.node.port}"
    what = f"port of {config.node.ae_title}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.node.host, config.node.port))
        except OSError as error:
            return Proof(what, "off", f"{where}: {error.strerror}", "the node runs already, or another program has it")
    if config.node.host in ("127.0.0.1", "localhost", "::1"):
        return Proof(what, "off", f"{where}: this machine only", 'set [node] host = "0.0.0.0" to let a PACS reach it')
    return Proof(what, "ok", f"{where} is free")


def _pipelines(config: Config) -> Iterator[Proof]:
    models = ModelProcess(config)
    try:
        for name, problem in models.check().items():
            if not problem:
                yield Proof(f"pipeline {name}", "ok", "weights are the catalogue's, and load")
            elif problem.startswith("no weights"):
                yield Proof(f"pipeline {name}", "off", f"not run: {problem}", "see `dicom-node weights list`")
            else:
                yield Proof(f"pipeline {name}", "wrong", problem, f"mend [pipelines.{name}] or restore the file")
    finally:
        models.close()


def _peers(config: Config) -> Iterator[Proof]:
    for name, peer in config.peers.items():
        what = f"peer {name}"
        try:
            ask(config, peer)
        except DicomNodeError as error:
            advice = f"at the peer, enter {config.node.ae_title} with this machine's address; here, [peers.{name}]"
            yield Proof(what, "wrong" if peer.required else "off", str(error), advice)
        else:
            yield Proof(what, "ok", f"{peer.where} answers")
