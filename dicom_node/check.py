"""`dicom-node check`: prove what the configuration asks for, and say what to do about what is not right."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rich.text import Text

from dicom_node.catalog import Catalog
from dicom_node.certificates import read_fingerprints
from dicom_node.config import Config
from dicom_node.deliver import ask
from dicom_node.errors import ConfigError, DicomNodeError
from dicom_node.imaging.syntaxes import STORED_ONLY
from dicom_node.infer.process import ModelProcess
from dicom_node.modes import make_storage_folder
from dicom_node.routing import impossible_conditions

_GB = 1e9
_STYLES: dict[str, str] = {"ok": "green", "off": "yellow", "wrong": "red"}


State: TypeAlias = Literal["ok", "off", "wrong"]


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that was tried."""

    what: str
    state: State  # off: it works, but a part of it will not run
    seen: str
    advice: str = ""


def check(config: Config) -> list[Proof]:
    """Try everything that the configuration relies on."""
    return [
        *_storage(config),
        _tried("catalog", lambda: _catalog(config), "look at [database] catalog, or at who else holds the file"),
        _listening(config),
        *_commitment(config),
        *_tls(config),
        *_certificates(config),
        *_routes(config),
        _syntaxes(),
        *_models(config),
        *_peers(config),
        *_viewers(config),
    ]


def render_proof(proof: Proof) -> Text:
    """Return a proof for a terminal: what and how it stands, and below it what to do."""
    line = Text.assemble((f"{proof.state:5}", _STYLES[proof.state]), " ", (proof.what, "bold"), f": {proof.seen}")
    return Text.assemble(line, f"\n      -> {proof.advice}") if proof.advice else line


def _tried(what: str, attempt: Callable[[], str], advice: str) -> Proof:
    try:
        return Proof(what, "ok", attempt())
    except Exception as error:  # noqa: BLE001  # whatever is wrong is what this command is there to say
        return Proof(what, "wrong", _sentence(error), advice)


def _sentence(error: Exception) -> str:
    """Return what an error says, without the names of our classes or of a library's."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    said = str(getattr(error, "orig", None) or error) or type(error).__name__
    return said.splitlines()[0]


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
    make_storage_folder(config)
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


def _commitment(config: Config) -> Iterator[Proof]:
    """Say what storage commitment promises to senders: objects that are kept and can be retrieved (PS3.4 J.1)."""
    if not config.node.commits:
        return
    days = config.storage.committed_days
    seen = f"senders that ask are told what is kept; retention leaves that alone for {days:g} days"
    advice = "a sender may delete what is committed: this node keeps it, but is queried by nobody"
    yield Proof("storage commitment", "ok", seen, advice)


def _models(config: Config) -> Iterator[Proof]:
    models = ModelProcess(config)
    try:
        pipelines = [_pipeline(name, models.check(name)) for name in config.pipelines]
        yield from pipelines
        yield from _gates(config, models)
    finally:
        models.close()
    can_run = {name for name, proof in zip(config.pipelines, pipelines, strict=True) if proof.state == "ok"}
    asked = {name for route in config.routes for name in route.run} | {gate.pipeline for gate in config.gates.values()}
    if not config.routes:
        yield Proof("routes", "wrong", "there are none: nothing would ever run", "add [[routes]]")
    elif not can_run & asked:
        yield Proof(
            "routes", "wrong", "none of their pipelines loads: nothing would ever run", "see the pipelines above"
        )


def _pipeline(name: str, problem: str) -> Proof:
    if not problem:
        return Proof(f"pipeline {name}", "ok", "weights are the catalogue's, and load")
    if problem.startswith("no weights"):
        return Proof(f"pipeline {name}", "off", f"not run: {problem}", "see `dicom-node weights list`")
    return Proof(f"pipeline {name}", "wrong", problem, f"mend [pipelines.{name}], its code or the file")


def _gates(config: Config, models: ModelProcess) -> Iterator[Proof]:
    try:
        answers = models.answers() if config.gates else {}
    except DicomNodeError as error:
        yield Proof("gates", "wrong", str(error), "name a pipeline that answers the gate's question")
        answers = {}
    for name, words in answers.items():
        yield Proof(f"gate {name}", "ok", f"answers {', '.join([*words, 'uncertain'])}")
    for sentence in impossible_conditions(config, answers):
        yield Proof("routes", "wrong", sentence, "as it stands, the condition never holds")


def _routes(config: Config) -> Iterator[Proof]:
    """Find what is allowed and yet seldom meant."""
    for route in config.routes:
        if not route.send_to:
            yield Proof(f"route {route.name!r}", "off", "has no send_to: results stay here", 'add send_to = ["PEER"]')
    for name in config.unused_conditions:
        yield Proof(f"conditions.{name}", "off", "no `when` includes it", f'write use = "{name}", or remove it')
    if not config.node.accepted_callers:
        yield Proof("callers", "wrong", "accepted_callers = []: nobody may send", 'name AE titles, or "*" for anybody')


def _syntaxes() -> Proof:
    """Name the transfer syntaxes of objects that are accepted, and on which nothing can run."""
    names = "; ".join(sorted(syntax.name for syntax in STORED_ONLY))
    seen = f"all but {len(STORED_ONLY)} of those accepted are decoded; kept and sent on, but never run on: {names}"
    return Proof("transfer syntaxes", "ok", seen)


def _tls(config: Config) -> Iterator[Proof]:
    sections = {"node": config.node.tls, **{f"peers.{name}": peer.tls for name, peer in config.peers.items()}}
    for where, tls in sections.items():
        if tls is not None:
            problem = tls.problem(config.folder)
            advice = "give PEM files that this user may read" if problem else ""
            yield Proof(f"{where}.tls", "wrong" if problem else "ok", problem or "certificate files are good", advice)


def _certificates(config: Config) -> Iterator[Proof]:
    """Read the certificates by which callers are known."""
    for name, caller in config.callers.items():
        try:
            found = {sha256 for named in caller.certificates for sha256 in read_fingerprints(named, config.folder)}
        except ConfigError as error:
            advice = "give PEM files that this user may read, or SHA-256 fingerprints"
            yield Proof(f"callers.{name}", "wrong", str(error), advice)
        else:
            if found:
                shown = ", ".join(f"{sha256[:16]}..." for sha256 in sorted(found))
                yield Proof(f"callers.{name}", "ok", f"known by the certificate with SHA-256 {shown}")


def _peers(config: Config) -> Iterator[Proof]:
    for name, peer in config.peers.items():
        try:
            ask(config, peer)
        except DicomNodeError as error:
            state: State = "wrong" if peer.required else "off"
            yield Proof(f"peer {name}", state, str(error), _advice(config, name, error))
        else:
            yield Proof(f"peer {name}", "ok", f"{peer.where} answers")


def _viewers(config: Config) -> Iterator[Proof]:
    """Say what each peer's viewer decides of the encoding of its results."""
    for name, peer in config.peers.items():
        if peer.preset:
            settings = ", ".join(f'{keyword} = "{value}"' for keyword, value in peer.preset.items())
            yield Proof(f"peers.{name}.viewer", "ok", f'"{peer.viewer}" sets {settings}')


def _advice(config: Config, name: str, error: DicomNodeError) -> str:
    peer = config.peers[name]
    if peer.url:
        return f"correct [peers.{name}] url, or ask who runs the DICOMweb service"
    advice = {
        "host": f"correct [peers.{name}] host, or this machine's DNS, route and firewall",
        "port": f"start the peer, or correct [peers.{name}] port",
        "web": f'correct [peers.{name}] port; for DICOMweb, write url = "http://{peer.host}:{peer.port}/..." instead',
        "certificates": f"correct [peers.{name}.tls]; the peer must trust our certificate, and we its authority",
    }
    at_the_peer = f"at the peer, enter {config.node.ae_title} with this machine's address; here, [peers.{name}]"
    return advice.get(getattr(error, "cause", ""), at_the_peer)
