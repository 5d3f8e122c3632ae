"""Start, ask and stop an Orthanc of our own."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from pydicom import Dataset, dcmread

TEMPLATE = Path(__file__).with_name("orthanc.json")
AE_TITLE = "ORTHANC"
LOOPBACK = "127.0.0.1"
_START_S = 30.0
_STOP_S = 10.0
_POLL_S = 0.1
_NOTHING: Mapping[str, object] = MappingProxyType({})
_ATTEMPTS = 3  # a port found free may be taken before Orthanc listens on it


class OrthancError(Exception):
    """Orthanc did not start, did not answer in time, or refused a request."""


@dataclasses.dataclass(frozen=True, slots=True)
class Instance:
    """One object that Orthanc holds."""

    id: str  # Orthanc's own name of it
    sop_uid: str
    series_uid: str
    study_uid: str
    modality: str


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """One series that Orthanc holds; `id` and `instance_ids` are Orthanc's own names."""

    id: str
    uid: str
    study_uid: str
    modality: str
    description: str
    instance_ids: tuple[str, ...]


def write_config(folder: Path, dicom_port: int, http_port: int, settings: Mapping[str, object] = _NOTHING) -> Path:
    """Write folder/orthanc.json: loopback and no password, an empty storage below it, no plug-ins; and `settings`."""
    changes = {
        **settings,
        "DicomPort": dicom_port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomModalities": {},  # the node's port is known only once it listens: `add_modality`
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(json.loads(TEMPLATE.read_text()) | changes, indent=2))
    return path


def free_port() -> int:
    """Return a TCP port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


class Orthanc:
    """A running Orthanc: `with Orthanc(folder) as orthanc`.

    Every method raises OrthancError when Orthanc is not there or refuses.
    """

    def __init__(self, folder: Path, program: str = "Orthanc", settings: Mapping[str, object] = _NOTHING) -> None:
        self.folder = folder
        self._settings = settings
        self.ae_title = AE_TITLE
        self.host = LOOPBACK
        self.dicom_port = 0
        self.http_port = 0
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program = shutil.which(self._program)
        if program is None:
            raise OrthancError(f"no program {self._program!r} on PATH")
        self.folder.mkdir(parents=True, exist_ok=True)
        for _ in range(_ATTEMPTS):
            self._start(program)
            if self._answers():
                return self
            self._stop()
        raise OrthancError(f"{program} did not start; its last words:\n{self.log()[-2000:]}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def url(self) -> str:
        """Where its REST interface and pages are."""
        return f"http://{self.host}:{self.http_port}"

    def log(self) -> str:
        """Return what Orthanc has said so far."""
        path = self.folder / "orthanc.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def pid(self) -> int:
        """Its process."""
        if self._process is None:
            raise OrthancError("Orthanc does not run")
        return self._process.pid

    def instances(self, modality: str | None = None) -> list[Instance]:
        """Return everything that it holds, or everything of one modality."""
        rows = {row["ID"]: row for row in self._get("/instances?expand")}
        return [
            Instance(one, rows[one]["MainDicomTags"]["SOPInstanceUID"], series.uid, series.study_uid, series.modality)
            for series in self.series(modality)
            for one in series.instance_ids
            if one in rows
        ]

    def series(self, modality: str | None = None) -> list[Series]:
        """Return every series that it holds, or every series of one modality."""
        studies = {row["ID"]: row["MainDicomTags"]["StudyInstanceUID"] for row in self._get("/studies?expand")}
        rows = self._get("/series?expand")
        found = [_series(row, studies[row["ParentStudy"]]) for row in rows if row["ParentStudy"] in studies]
        return [one for one in found if modality in (None, one.modality)]

    def find(self, sop_uid: str) -> Instance | None:
        """Return the object of a SOP Instance UID, or None when it is not there."""
        return next((one for one in self.instances() if one.sop_uid == sop_uid), None)

    def download(self, sop_uid: str) -> Dataset:
        """Return one object as Orthanc keeps it, File Meta Information included."""
        found = self.find(sop_uid)
        if found is None:
            raise OrthancError(f"no object {sop_uid} at {self.url}")
        return dcmread(BytesIO(self._request("GET", f"/instances/{found.id}/file")))

    def objects(self, study_uid: str) -> list[Dataset]:
        """Return every object of one study as Orthanc keeps it."""
        query = {"Level": "Instance", "Query": {"StudyInstanceUID": study_uid}}
        ids = json.loads(self._request("POST", "/tools/find", query))
        return [dcmread(BytesIO(self._request("GET", f"/instances/{one}/file"))) for one in ids]

    def add_modality(self, name: str, ae_title: str, port: int) -> None:
        """Tell it of a DICOM node on this machine that it may send to."""
        self._request("PUT", f"/modalities/{name}", {"AET": ae_title, "Host": LOOPBACK, "Port": port})

    def send_study(self, study_uid: str, modality: str) -> None:
        """Send all of a study by C-STORE to a node that `add_modality` named; returns when it is done."""
        resources = [series.id for series in self.series() if series.study_uid == study_uid]
        self._request("POST", f"/modalities/{modality}/store", {"Resources": resources, "Synchronous": True})

    def move_study(self, study_uid: str, to_study_uid: str) -> None:
        """Let all of a study be another study, under the same SOP Instance UIDs."""
        (study,) = {
            row["ID"] for row in self._get("/studies?expand") if row["MainDicomTags"]["StudyInstanceUID"] == study_uid
        }
        change = {
            "Replace": {"StudyInstanceUID": to_study_uid},
            "Keep": ["SOPInstanceUID", "SeriesInstanceUID"],
            "Force": True,
            "KeepSource": False,
        }
        self._request("POST", f"/studies/{study}/modify", change)

    def upload(self, path: Path) -> None:
        """Put one file in by REST."""
        self._request("POST", "/instances", path.read_bytes())

    def clear(self) -> None:
        """Delete everything that it holds."""
        for patient in self._get("/patients"):
            self._request("DELETE", f"/patients/{patient}")

    def wait_for(self, modality: str, count: int = 1, timeout_s: float = 60.0) -> list[Instance]:
        """Return the objects of a modality once there are count of them."""
        if not _until(lambda: len(self.instances(modality)) >= count, timeout_s):
            held = [one.modality for one in self.instances()]
            raise OrthancError(f"expected {count} of {modality} within {timeout_s} s, it holds {sorted(held)}")
        return self.instances(modality)

    def _start(self, program: str) -> None:
        self.dicom_port, self.http_port = free_port(), free_port()
        config = write_config(self.folder, self.dicom_port, self.http_port, self._settings)
        with (self.folder / "orthanc.log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def _answers(self) -> bool:
        """Wait until it answers; False when it ended or the time is up."""

        def settled() -> bool:
            return self._ended() or self._reachable()

        return _until(settled, _START_S) and not self._ended()

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _reachable(self) -> bool:
        with contextlib.suppress(OrthancError):
            # A stranger on the same port would answer too, but not with our two numbers.
            return bool(self._get("/system")["DicomPort"] == self.dicom_port)
        return False

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _get(self, path: str) -> Any:
        return json.loads(self._request("GET", path))

    def _request(self, method: str, path: str, body: bytes | Mapping[str, Any] | None = None) -> bytes:
        data = json.dumps(body).encode() if isinstance(body, Mapping) else body
        request = urllib.request.Request(self.url + path, data, method=method)  # noqa: S310  # always our own http
        try:
            with _DIRECT.open(request, timeout=_START_S) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            raise OrthancError(f"{method} {path}: {error.code}: {said}") from error
        except (urllib.error.URLError, OSError) as error:
            raise OrthancError(f"{method} {self.url}{path}: {error}") from error


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy does not know our loopback


def _series(row: Mapping[str, Any], study_uid: str) -> Series:
    tags = row["MainDicomTags"]
    return Series(
        id=row["ID"],
        uid=tags["SeriesInstanceUID"],
        study_uid=study_uid,
        modality=tags.get("Modality", ""),
        description=tags.get("SeriesDescription", ""),
        instance_ids=tuple(row["Instances"]),
    )


def _until(holds: Callable[[], bool], timeout_s: float) -> bool:
    """Ask until it holds; False when the time is up."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
