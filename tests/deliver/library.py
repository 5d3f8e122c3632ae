"""A small archive that is asked for studies, and answers as a test says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom.events import Event

from dicom_node.config import Peer

FIND, MOVE, GET = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3))
_KEYS = {
    "STUDY": ("PatientID", "AccessionNumber", "StudyDate"),
    "SERIES": ("StudyInstanceUID",),
    "IMAGE": ("SeriesInstanceUID",),
}
_UNIQUE = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}


@dataclass
class Library:
    """What it holds, how it misbehaves, and what it has seen."""

    objects: Sequence[Dataset] = ()
    ignores: tuple[str, ...] = ()  # keys that it does not match
    leaves_out: tuple[str, ...] = ()  # attributes that it does not return
    repeats: int = 1  # how often it returns each match
    levels: tuple[str, ...] = ("STUDY", "SERIES", "IMAGE")  # that it answers queries at
    moves: bool = True  # whether a C-MOVE sends anything
    destination: int = 0  # the port of whoever it sends to
    port: int = 0
    asked: list[Dataset] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)  # the identifiers as they came
    associations: int = 0

    def peer(self, **settings: object) -> Peer:
        base = {"ae_title": "PACS", "host": "127.0.0.1", "port": self.port, "timeout_s": 5.0}
        return Peer.model_validate({**base, **settings})

    def on_find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        wanted = event.identifier
        self.asked.append(wanted)
        self.raw.append(event.request.Identifier.getvalue())  # type: ignore[union-attr]
        level = wanted.QueryRetrieveLevel
        if level not in self.levels:
            yield 0xA900, None
            return
        found = {str(one[_UNIQUE[level]].value): one for one in self._matches(wanted, _KEYS[level])}
        for one in found.values():
            for _ in range(self.repeats):
                yield 0xFF00, self._answer(one, wanted)

    def on_get(self, event: Event) -> Iterator[Any]:
        found = self._matches(event.identifier, ("StudyInstanceUID",))
        yield len(found)
        for one in found:
            yield 0xFF00, one

    def on_move(self, event: Event) -> Iterator[Any]:
        yield "127.0.0.1", self.destination, {"ae_title": event.move_destination}
        found = self._matches(event.identifier, ("StudyInstanceUID",)) if self.moves else []
        yield len(found)
        for one in found:
            yield 0xFF00, one

    def on_accepted(self, _event: Event) -> None:
        self.associations += 1

    def _matches(self, wanted: Dataset, keywords: Sequence[str]) -> list[Dataset]:
        keys = {keyword: wanted.get(keyword) for keyword in keywords if keyword not in self.ignores}
        return [one for one in self.objects if all(not asked or one.get(key) == asked for key, asked in keys.items())]

    def _answer(self, one: Dataset, wanted: Dataset) -> Dataset:
        answer = Dataset()
        for keyword in ("SpecificCharacterSet", *(element.keyword for element in wanted)):
            if keyword in one and keyword not in self.leaves_out:
                answer[keyword] = one[keyword]
        answer.QueryRetrieveLevel = wanted.QueryRetrieveLevel
        return answer


@contextmanager
def library(objects: Sequence[Dataset], **settings: Any) -> Iterator[Library]:
    held = Library(objects, **settings)
    _config.LOG_HANDLER_LEVEL = "none"
    entity = AE("PACS")
    for query in (FIND, MOVE, GET):
        entity.add_supported_context(query)
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(str(context.abstract_syntax), scu_role=True, scp_role=True)
        entity.add_requested_context(str(context.abstract_syntax)) if len(entity.requested_contexts) < 128 else None
    handlers: list[evt.EventHandlerType] = [
        (evt.EVT_C_FIND, held.on_find),
        (evt.EVT_C_GET, held.on_get),
        (evt.EVT_C_MOVE, held.on_move),
        (evt.EVT_ACCEPTED, held.on_accepted),
    ]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    held.port = server.server_address[1]
    try:
        yield held
    finally:
        entity.shutdown()
