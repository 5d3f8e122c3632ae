"""A modality that sends a series and sends again what was not acknowledged, as a scanner's queue does."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from pydicom import Dataset, FileDataset
from pynetdicom import _config
from pynetdicom.association import Association

from tests.receive.node import associated

_SUCCESS = 0x0000
_PAUSE_S = 0.2
CALLED = "DICOMNODE"
SCANNER = "SCANNER", "127.0.0.1"


class Modality:
    """Sends one series; `acknowledged` fills as success is answered."""

    def __init__(self, port: int, images: Sequence[FileDataset], sender: tuple[str, str] = SCANNER) -> None:
        """`sender` is a calling AE title, and the address that it calls from."""
        _config.LOG_HANDLER_LEVEL = "none"
        self.images = images
        self.acknowledged: set[str] = set()
        self.refused: list[int] = []  # statuses that were not success
        self.seconds: list[float] = []  # from each request to its answer
        self._port = port
        self._sender = sender
        self._association: Association | None = None  # the latest

    @property
    def study_uid(self) -> str:
        """The study that the series belongs to."""
        return str(self.images[0].StudyInstanceUID)

    def abort(self) -> None:
        """End the open association by A-ABORT."""
        if self._association is not None:
            self._association.abort()

    def send(self, upto: int | None = None, *, then: threading.Event | None = None) -> None:
        """Send what is not acknowledged yet, at most `upto` images, over one association.

        The association stays open, silent, until `then` is set.
        """
        calling, address = self._sender
        contexts = {(str(image.SOPClassUID), str(image.file_meta.TransferSyntaxUID)) for image in self.images}
        with associated(self._port, contexts, calling, CALLED, address) as association:
            self._association = association
            for image in self._waiting()[:upto]:
                if not association.is_established or not self._store(association, image):
                    break
            if then is not None:
                then.wait(120)

    def send_all(self, timeout_s: float) -> None:
        """Send until everything is acknowledged; raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while self._waiting():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self._waiting())} images are not acknowledged within {timeout_s:g} s")
            self.send()
            if self._waiting():
                time.sleep(_PAUSE_S)

    def _waiting(self) -> list[Dataset]:
        return [image for image in self.images if image.SOPInstanceUID not in self.acknowledged]

    def _store(self, association: Association, image: Dataset) -> bool:
        began = time.monotonic()
        answer = Dataset()
        with suppress(RuntimeError):  # the association ended in between
            answer = association.send_c_store(image)
        self.seconds.append(time.monotonic() - began)
        if answer.get("Status") == _SUCCESS:
            self.acknowledged.add(str(image.SOPInstanceUID))
        elif "Status" in answer:
            self.refused.append(int(answer.Status))
        return "Status" in answer
