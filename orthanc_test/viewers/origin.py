"""One HTTP origin for a viewer's pages and the DICOMweb service behind them, as a hospital's proxy would offer it."""

from __future__ import annotations

import mimetypes
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

_ISOLATED = {  # what a browser wants before a page may share memory between its workers
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_TYPES = {".js": "text/javascript", ".wasm": "application/wasm", ".css": "text/css", ".html": "text/html"}
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_TIMEOUT_S = 60.0


class Origin:
    """`with Origin(pages, {"/app-config.js": text}, address) as origin`: a server on the loopback address."""

    def __init__(self, pages: Path, replaced: dict[str, str], archive: str) -> None:
        """Serve the files of `pages`, `replaced` in place of some, and an archive's /dicom-web and /instances."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(pages, replaced, archive))

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(pages: Path, replaced: dict[str, str], archive: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:  # the library's name
            path = self.path.partition("?")[0]
            if path.startswith(("/dicom-web", "/instances")):
                self._answer(*self._forwarded())
            elif path in replaced:
                self._answer(200, replaced[path].encode(), _TYPES.get(Path(path).suffix, "text/html"))
            else:
                file = pages / path.lstrip("/")
                file = file if file.is_file() else pages / "index.html"  # the viewer's own routes
                kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
                self._answer(200, file.read_bytes(), kind)

        def _forwarded(self) -> tuple[int, bytes, str]:
            headers = {"Accept": self.headers.get("Accept", "*/*")}
            request = urllib.request.Request(archive + self.path, headers=headers)  # noqa: S310  # our own http
            try:
                with _DIRECT.open(request, timeout=_TIMEOUT_S) as answer:
                    return answer.status, answer.read(), answer.headers["Content-Type"]
            except urllib.error.HTTPError as error:
                return error.code, error.read(), "text/plain"

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            for name, value in {**_ISOLATED, "Content-Type": kind, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler
