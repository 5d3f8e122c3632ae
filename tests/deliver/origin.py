"""A small DICOMweb origin server that answers as a test says, and moves what it holds."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

from pydicom import Dataset, dcmread


@dataclass
class Origin:
    """What it is set up to do, and what it has seen."""

    url: str = ""
    status: int = 200
    failure: int | None = None  # FailureReason of the next objects
    token: str = ""
    received: dict[str, bytes] = field(default_factory=dict)
    connections: set[int] = field(default_factory=set)  # ports of the clients
    query_status: int = 200  # of searches for instances of any study
    names_patient: bool = True  # whether a match of an instance has the PatientID that was asked for
    moved: dict[str, dict[str, str]] = field(default_factory=dict)  # by SOP Instance UID: where it is now instead

    def objects(self) -> dict[str, Dataset]:
        """Return what it holds, as it was sent."""
        return {uid: dcmread(BytesIO(file)) for uid, file in self.received.items()}

    def move(self, study_uid: str, **values: str) -> None:
        """Let all objects of a study have other values, as a PACS does that moves it to another patient or study."""
        self.moved |= {uid: values for uid, one in self.objects().items() if study_uid == one.StudyInstanceUID}

    def search(self, path: str) -> tuple[int, list[object]]:
        """Answer QIDO-RS for studies, for instances of a series, and for instances of any study (PS3.18 10.6)."""
        parts, query = urlsplit(path).path.removeprefix("/dicom-web/").split("/"), parse_qs(urlsplit(path).query)
        if parts == ["instances"] and self.query_status != 200:
            return self.query_status, []
        given = dict(zip(parts[::2], parts[1::2], strict=False))
        wanted = {"StudyInstanceUID": given.get("studies"), "SeriesInstanceUID": given.get("series")}
        wanted |= {keyword: values[0] for keyword, values in query.items() if keyword.endswith("UID")}
        found = []
        for uid, one in self.objects().items():
            for keyword, value in self.moved.get(uid, {}).items():
                setattr(one, keyword, value)
            if all(one.get(keyword) == value for keyword, value in wanted.items() if value):
                found.append(self._match(one, has_patient=self.names_patient or parts[-1] == "studies"))
        return (200 if found or not any(wanted.values()) else 204), found

    def _match(self, one: Dataset, *, has_patient: bool) -> object:
        match = Dataset()
        for keyword in ("SOPInstanceUID", "StudyInstanceUID", *(["PatientID"] if has_patient else [])):
            setattr(match, keyword, one.get(keyword))
        return match.to_json_dict()

    def store(self, content_type: str, body: bytes) -> tuple[int, object]:
        message = BytesParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
        (part,) = [one for one in message.walk() if not one.is_multipart()]
        assert part.get_content_type() == "application/dicom"
        at = body.index(b"\r\n\r\n") + 4
        file = body[at : body.rindex(b"\r\n--")]
        uid = str(dcmread(BytesIO(file)).SOPInstanceUID)
        if self.failure is not None:
            return 409, {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [self.failure]}}]}}
        if self.status == 200:
            self.received[uid] = file
        return self.status, {}


@contextmanager
def origin(**settings: object) -> Iterator[Origin]:
    site = Origin(**settings)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            site.connections.add(self.client_address[1])
            if site.token and self.headers.get("Authorization") != f"Bearer {site.token}":
                self.answer(401, {})
            else:
                self.answer(*site.store(self.headers["Content-Type"], body))

        def do_GET(self) -> None:
            self.answer(*site.search(self.path))

        def answer(self, status: int, said: object) -> None:
            body = b"" if status == 204 else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}/dicom-web"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
