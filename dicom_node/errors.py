"""The one tree of errors.

DicomNodeError
├── ConfigError            the configuration file cannot be used as it stands
├── BootError              the node, or a part of it, cannot start
├── CatalogError           a database of the node cannot be used as it is
│   └── CatalogAwayError   it is locked or its server is away; it may come back
├── WeightsError           a weights entry is missing, altered or of the wrong kind
├── ObjectError            one DICOM object or file cannot be used; names the object
│   ├── EncodingError      its bytes cannot be read, or are more than is read of any object
│   └── GeometryError      a stack's slices do not form one regular grid
├── RefusalError           a pipeline or route declines a stack, in words for a person
│   ├── UnsuitableError    one object is not of the kind that is read; names object and attribute
│   └── ImplausibleError   what was found cannot be the organ that it is called
├── ModelError             a model raised or timed out
│   └── ModelDiedError     its process died
├── ProofError             an encoded result does not say what the model found
└── PeerError              a DICOM peer could not be reached or would not talk
"""


class DicomNodeError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigError(DicomNodeError):
    """The configuration file cannot be used as it stands."""


class BootError(DicomNodeError):
    """The node, or a part of it, cannot start; the text is its last word."""


class CatalogError(DicomNodeError):
    """A database of the node cannot be used as it is; the text says what to do."""


class CatalogAwayError(CatalogError):
    """A database is locked, or its server is away; the next attempt may succeed."""


class WeightsError(DicomNodeError):
    """A weights entry is missing, altered or of the wrong kind."""


class ObjectError(DicomNodeError):
    """One DICOM object or file cannot be used; `name` is its SOP Instance UID or path."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.problem = problem


class EncodingError(ObjectError):
    """An object's bytes cannot be read as a data set, or are more than is read of any object."""


class GeometryError(ObjectError):
    """A stack's slices do not form one regular grid; `name` is the slice that breaks it."""


class RefusalError(DicomNodeError):
    """A stack is declined; the text is the reason, in words for a person."""


class UnsuitableError(RefusalError):
    """One object of a stack is not of the kind that is read; the text begins with its SOP Instance UID."""

    def __init__(self, name: str, keyword: str, why: str) -> None:
        """`keyword` is of the attribute that says so, `why` what is said of it."""
        super().__init__(f"{name}: {keyword} {why}")


class ImplausibleError(RefusalError):
    """What a pipeline found cannot be the organ that it is called; the text begins "not delivered, because"."""

    def __init__(self, why: str) -> None:
        super().__init__(f"not delivered, because {why}")


class ModelError(DicomNodeError):
    """A model raised, timed out, or its process died."""


class ModelDiedError(ModelError):
    """A model's process died under it; that need not have been the images' fault."""


class ProofError(DicomNodeError):
    """An encoded result, read back, differs from what the model found."""


class PeerError(DicomNodeError):
    """A DICOM peer could not be reached or would not talk."""
