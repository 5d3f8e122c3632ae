"""A small DICOMweb origin server that answers as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

from pydicom import dcmread


@dataclass
class Origin:
    """What it is set up to do, and what it has seen."""

    url: str = ""
    status: int = 200
    failure: int | None = None  # FailureReason of the next objects
    token: str = ""
    received: dict[str, bytes] = field(default_factory=dict)
    connections: set[int] = field(default_factory=set)  # ports of the clients

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
            _, _, wanted = self.path.partition("SOPInstanceUID=")
            found = [{"00080018": {"vr": "UI", "Value": [wanted]}}] if wanted in site.received else []
            self.answer(200 if found or not wanted else 204, found)

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
