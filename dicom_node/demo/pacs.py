"""A small PACS of our own: it takes what it is sent, and keeps it as files."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from pydicom import dcmread
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made when the module is loaded
from pynetdicom.transport import ThreadedAssociationServer

from dicom_node.uids import is_uid

_SUCCESS = 0x0000
_OUT_OF_RESOURCES = 0xA700  # the sender tries again (PS3.4 B.2.3)
_CANNOT_UNDERSTAND = 0xC000


class SmallPacs:
    """A storage and verification SCP on the loopback address: `with SmallPacs(folder) as pacs`.

    An object is written under another name first and then renamed, so whatever `instances` lists is whole. The same
    SOP Instance sent again takes the place of the first.
    """

    def __init__(self, folder: Path, ae_title: str = "SMALLPACS", port: int = 0) -> None:
        self.folder = folder
        self.ae_title = ae_title
        self.host = "127.0.0.1"
        self.port = port  # 0 until it listens: then a free one
        self._server: ThreadedAssociationServer | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        entity = AE(self.ae_title)
        entity.add_supported_context(Verification)
        for context in AllStoragePresentationContexts:
            if context.abstract_syntax is not None:
                entity.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
        handlers: list[evt.EventHandlerType] = [(evt.EVT_C_STORE, self._store)]
        started = entity.start_server((self.host, self.port), block=False, evt_handlers=handlers)
        self._server = server = cast(ThreadedAssociationServer, started)  # None only for one that blocks
        self.port = int(server.server_address[1])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def instances(self, modality: str | None = None) -> list[Path]:
        """Return the files of everything that it holds, or of one modality, sorted by name."""
        files = sorted(self.folder.glob("*.dcm"))
        return [path for path in files if modality is None or _modality(path) == modality]

    def path(self, sop_uid: str) -> Path:
        """Return where the object of a SOP Instance UID is, or would be."""
        return self.folder / f"{sop_uid}.dcm"

    def _store(self, event: evt.Event) -> int:
        request = event.request
        sop_uid = str(request.AffectedSOPInstanceUID) if isinstance(request, C_STORE) else ""
        if not is_uid(sop_uid):
            return _CANNOT_UNDERSTAND
        arriving = self.folder / f"{sop_uid}.{threading.get_ident()}.part"
        try:
            arriving.write_bytes(event.encoded_dataset())
            arriving.replace(self.path(sop_uid))
        except OSError:
            return _OUT_OF_RESOURCES
        return _SUCCESS


def _modality(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True, specific_tags=["Modality"]).get("Modality", ""))
