"""What the association loop asks of a DIMSE service, and the small services that are answered in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from pynetdicom.presentation import PresentationContext

from dicom_node.receive.command import Elements

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110  # PS3.7 C.5.7: worth another attempt
SOP_CLASS_NOT_SUPPORTED = 0x0122  # PS3.7 Annex C
UNRECOGNIZED_OPERATION = 0x0211  # PS3.7 C.5.24


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context (PS3.8 7.1.1.13)."""

    id: int
    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is at the other end of an association."""

    ae_title: str
    called_ae_title: str
    address: str
    certificate: str  # SHA-256 of the client certificate that it showed, "" without TLS
    association: str  # this association's name among all that ever were


@dataclass(frozen=True, slots=True)
class Request:
    """One DIMSE request whose command set has come; its data set, if any, is about to."""

    command: Elements
    context: Context
    caller: Caller
    has_data_set: bool


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request: a status, and where the service has them further command elements and a data set."""

    status: int
    comment: str = ""  # at most 64 characters arrive (PS3.7 C.4)
    elements: Elements = field(default_factory=dict)
    data_set: bytes = b""  # in the context's transfer syntax


class Receiving(Protocol):
    """One request's data set on its way in."""

    def write(self, fragment: memoryview) -> None:
        """Take the next bytes; they are overwritten after the call. Nothing may be raised."""

    def finish(self) -> Response:
        """Return the answer, now that all has come. Nothing may be raised."""

    def give_up(self) -> None:
        """Forget it: the association ended before the last fragment."""


Service: TypeAlias = Callable[[Request], Receiving]
"""Begins with a request of its command field. Nothing may be raised."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A further service: the requests that it takes, and the presentation contexts in which they come."""

    command_field: int  # of the request (PS3.7 E.1)
    service: Service
    contexts: Sequence[PresentationContext]


@dataclass(frozen=True, slots=True)
class Answered:
    """A request whose answer does not depend on its data set, which is read over."""

    response: Response

    def write(self, fragment: memoryview) -> None:
        """Read over a fragment."""

    def finish(self) -> Response:
        """Return the answer."""
        return self.response

    def give_up(self) -> None:
        """Nothing has been kept."""


def verification(_request: Request) -> Receiving:
    """Answer C-ECHO (PS3.7 9.1.5)."""
    return Answered(Response(SUCCESS))


def unrecognized(_request: Request) -> Receiving:
    """Answer a request that no service here takes (PS3.7 C.5.24)."""
    return Answered(Response(UNRECOGNIZED_OPERATION))


def of_another_class(request: Request) -> Receiving:
    """Answer a request for a SOP Class that is not the presentation context's (PS3.7 9.1.1.1.9)."""
    comment = f"not the SOP class of presentation context {request.context.id}"
    return Answered(Response(SOP_CLASS_NOT_SUPPORTED, comment))
