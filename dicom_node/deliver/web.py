"""STOW-RS and QIDO-RS as user agent (PS3.18 10.5, 10.6): a peer that wants its results over HTTP."""

from __future__ import annotations

import json
import secrets
import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import urllib3
from pydicom import Dataset

from dicom_node.config import Config, Peer
from dicom_node.deliver.calling import NoAssociationError
from dicom_node.deliver.outcomes import Outcome, judge
from dicom_node.deliver.pacing import Line
from dicom_node.deliver.query import Found, read_keys
from dicom_node.deliver.scu import Sent
from dicom_node.errors import PeerError

_FAILED, _REASON, _WARNING = "00081198", "00081197", "00081196"  # PS3.18 I.2.1, DICOM JSON
_SOP_INSTANCE = "00080018"
_PLACE = {"SOPInstanceUID": _SOP_INSTANCE, "StudyInstanceUID": "0020000D", "PatientID": "00100020"}
_CHUNK = 1 << 18  # bytes
_LATER = (408, 429, 500, 502, 503, 504)
_STORED = (200, 202, 409)  # 409: none of them, and the body says why (PS3.18 Table 10.5.3-1)
_SLOWEST_BYTES_PER_S = 1_000_000


def ping(config: Config, peer: Peer) -> None:
    """Ask a peer for one study.

    Raises:
        PeerError: it does not answer as a DICOMweb origin server; the sentence says what to do.
    """
    answer = _Site(config, peer).get("studies", [("limit", "1")])
    if answer.status not in (200, 204):
        raise PeerError(f"{peer.url} answers {answer.status} to a query: check the address and who may use it")


def post(config: Config, peer: Peer, paths: Sequence[Path]) -> Iterator[Sent]:
    """Store files at a peer, one request for each over a connection that stays; yield what became of each.

    A file goes out as it lies. Nothing is raised for what a peer does: it is in the outcomes.
    """
    site = _Site(config, peer)
    for number, path in enumerate(paths):
        try:
            yield _judged(path, site.store(path))
        except NoAssociationError as error:
            yield from (Sent(one.stem, error.outcome, None, str(error)) for one in paths[number:])
            return
        except OSError as error:
            yield Sent(path.stem, "park", None, f"the file cannot be read ({type(error).__name__})")


def search(config: Config, peer: Peer, paths: Sequence[Path]) -> Mapping[Path, bool | None]:
    """Say of each file whether the peer holds its object, by its SOP Instance UID; None where it gave no answer.

    Raises:
        NoAssociationError: there was nobody to ask.
    """
    site = _Site(config, peer)
    return {path: _is_found(site, path) for path in paths}


class InstanceSearch:
    """Finds instances at one origin server, with the study and the patient that they are under (PS3.18 10.6)."""

    def __init__(self, config: Config, peer: Peer) -> None:
        self._site = _Site(config, peer)
        self._peer = peer

    def __call__(self, sop_instance_uid: str, study_uid: str, series_uid: str, /) -> Found:
        """Find one instance in a series, or anywhere where study and series are "".

        Raises:
            NoAssociationError: there was nobody to ask, or the server asks for another attempt.
        """
        where = f"studies/{study_uid}/series/{series_uid}/instances" if study_uid else "instances"
        found = self._search(where, "SOPInstanceUID", sop_instance_uid)
        for match in found.matches:
            match.StudyInstanceUID = match.get("StudyInstanceUID", "") or study_uid
            if not match.get("PatientID"):  # which a server has to return of studies only (PS3.18 Table 10.6.3-3)
                studies = self._search("studies", "StudyInstanceUID", match.StudyInstanceUID).matches
                match.PatientID = next((study.get("PatientID", "") for study in studies), "")
        return found

    def _search(self, where: str, keyword: str, uid: str) -> Found:
        fields = [(keyword, uid), ("includefield", "StudyInstanceUID"), ("includefield", "PatientID")]
        answer = self._site.get(where, fields)
        if answer.status in _LATER:
            raise NoAssociationError(self._peer, f"answers {answer.status} to a query")
        if answer.status == 204 or (answer.status == 404 and where != "instances"):
            return Found((), is_complete=True)
        matches = _matches(answer) if answer.status == 200 else None
        if matches is None:
            return Found((), is_complete=False)
        return Found([match for match in matches if match.get(keyword) == uid], is_complete=True)


class _Site:
    """One origin server, spoken to over a connection that is kept."""

    def __init__(self, config: Config, peer: Peer) -> None:
        self._config = config
        self._peer = peer
        timeout = urllib3.Timeout(connect=peer.timeout_s, read=peer.timeout_s)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False, ssl_context=_context(config, peer))

    def get(self, where: str, fields: Sequence[tuple[str, str]]) -> urllib3.BaseHTTPResponse:
        return self._ask("GET", where, fields=fields)

    def store(self, path: Path) -> urllib3.BaseHTTPResponse:
        """Send one object as a multipart body of one part, read as it is sent (PS3.18 8.6.1.2)."""
        boundary = secrets.token_hex(16)
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        size = path.stat().st_size
        slowest = min(_SLOWEST_BYTES_PER_S, (self._peer.max_mbit or 8) * 1e5)
        return self._ask(
            "POST",
            "studies",
            body=self._body(path, head, tail),
            headers={
                "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
                "Content-Length": str(len(head) + size + len(tail)),
            },
            timeout=urllib3.Timeout(connect=self._peer.timeout_s, read=self._peer.timeout_s + size / slowest),
        )

    def _body(self, path: Path, head: bytes, tail: bytes) -> Iterator[bytes]:
        line = Line(self._config, self._peer)
        yield head
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
                line.wait(len(chunk))
        yield tail

    def _ask(self, method: str, where: str, **settings: Any) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/dicom+json", **self._authorization(), **settings.pop("headers", {})}
        try:
            return self._pool.request(method, f"{self._peer.url.rstrip('/')}/{where}", headers=headers, **settings)
        except urllib3.exceptions.HTTPError as error:
            raise NoAssociationError(self._peer, f"cannot be reached ({type(error).__name__})") from error

    def _authorization(self) -> dict[str, str]:
        """Return the bearer token, read anew each time: something outside renews the file."""
        if self._peer.token_file is None:
            return {}
        return {"Authorization": f"Bearer {(self._config.folder / self._peer.token_file).read_text().strip()}"}


def _context(config: Config, peer: Peer) -> ssl.SSLContext | None:
    if peer.tls is None:
        return None
    if problem := peer.tls.problem(config.folder):
        raise NoAssociationError(peer, f"was not called: its [tls] {problem}", cause="certificates")
    context = ssl.create_default_context(cafile=config.folder / peer.tls.ca)
    context.load_cert_chain(config.folder / peer.tls.certificate, config.folder / peer.tls.key)
    return context


def _judged(path: Path, answer: urllib3.BaseHTTPResponse) -> Sent:
    uid = path.stem
    if answer.status in _LATER:
        return Sent(uid, "retry", answer.status, f"the peer answers {answer.status}")
    if answer.status not in _STORED:
        return Sent(uid, "park", answer.status, f"the peer answers {answer.status}: it will not take this from us")
    failure = _failure(answer)
    if failure is not None:
        verdict = judge(failure)
        outcome: Outcome = "retry" if verdict.outcome == "stored" else verdict.outcome
        return Sent(uid, outcome, failure, f"0x{failure:04X} {verdict.meaning}")
    if answer.status == 409:
        return Sent(uid, "park", answer.status, "the peer answers 409 and does not say why")
    return Sent(uid, "stored", 0x0000, "")


def _failure(answer: urllib3.BaseHTTPResponse) -> int | None:
    """Return the reason why the only object was not stored, None where none is given."""
    try:
        said = json.loads(answer.data or b"{}")
        items = said.get(_FAILED, {}).get("Value", [])
        return int(items[0][_REASON]["Value"][0]) if items else None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None


def _is_found(site: _Site, path: Path) -> bool | None:
    header = read_keys(path)
    if header is None:
        return None
    where = f"studies/{header.StudyInstanceUID}/series/{header.SeriesInstanceUID}/instances"
    is_there = _is_listed(site, where, str(header.SOPInstanceUID))
    if is_there is not False:
        return is_there
    return bool(_is_listed(site, "instances", str(header.SOPInstanceUID)))  # the peer may have moved it


def _is_listed(site: _Site, where: str, sop_instance_uid: str) -> bool | None:
    answer = site.get(where, [("SOPInstanceUID", sop_instance_uid)])
    if answer.status in (204, 404):
        return False
    return _names(answer, sop_instance_uid) if answer.status == 200 else None


def _names(answer: urllib3.BaseHTTPResponse, sop_instance_uid: str) -> bool | None:
    """Say whether an answer lists an object; a server that ignores the key lists others (PS3.18 F.2)."""
    try:
        return any(
            sop_instance_uid in match.get(_SOP_INSTANCE, {}).get("Value", ()) for match in json.loads(answer.data)
        )
    except (ValueError, TypeError, AttributeError):
        return None


def _matches(answer: urllib3.BaseHTTPResponse) -> list[Dataset] | None:
    """Return what of each match says where it is, None where the answer is not DICOM JSON (PS3.18 F.2)."""
    try:
        return [_read_match(match) for match in json.loads(answer.data)]
    except (ValueError, TypeError, AttributeError):
        return None


def _read_match(match: Mapping[str, Any]) -> Dataset:
    found = Dataset()
    for keyword, tag in _PLACE.items():
        values = match.get(tag, {}).get("Value") or [""]
        setattr(found, keyword, str(values[0] or ""))
    return found
