"""config.toml as frozen objects; a keyword that is not known is refused with the nearest one that is."""

from __future__ import annotations

import dataclasses
import os
import re
import ssl
import tomllib
from collections.abc import Collection, Iterable, Mapping
from datetime import time
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeAlias, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    ValidationError,
    field_validator,
    model_validator,
)
from pydicom.datadict import keyword_dict

from dicom_node.config_groups import include_groups, unused_groups
from dicom_node.config_words import did_you_mean, validation_sentences
from dicom_node.errors import ConfigError
from dicom_node.patterns import HeaderPattern
from dicom_node.uids import is_uid
from dicom_node.viewers import PRESETS, Viewer

COMPUTED_FACTS = (
    *("kind", "slices", "repeats", "spacing_mm", "extent_mm", "plane", "caller", "ours", "copy_of", "same_pixels_as"),
)
"""Facts that the node works out itself, next to the DICOM keywords."""

OutputKind: TypeAlias = Literal["SEG", "SR", "SC", "KO", "PR", "PAGE", "PDF"]
Language: TypeAlias = Literal["en", "ko", "de"]
SegType: TypeAlias = Literal["BINARY", "FRACTIONAL", "LABELMAP"]
Compression: TypeAlias = Literal["none", "RLE", "JPEG-LS", "JPEG 2000"]
SrTitle: TypeAlias = Literal["126000", "126001", "auto"]
Outcome: TypeAlias = Literal["refuse", "remark", "ignore"]
"""Of a finding that cannot be the organ that it is called: not delivered, delivered with a remark, delivered."""
Scalar: TypeAlias = str | float | bool


def _check_ae_title(title: str) -> str:
    r"""Refuse what is no AE title: 1 to 16 ASCII characters, not only blanks, no backslash or control (PS3.5 6.2)."""
    if not title.strip():
        raise ValueError("an AE title is not empty and not blanks only (PS3.5 6.2)")
    if len(title) > _AE_TITLE_AT_MOST:
        raise ValueError(
            f"an AE title has at most {_AE_TITLE_AT_MOST} characters (PS3.5 6.2); {title!r} has {len(title)}"
        )
    if wrong := [sign for sign in title if sign == "\\" or not " " <= sign <= "~"]:
        raise ValueError(f"an AE title is ASCII without a backslash (PS3.5 6.2); {title!r} has {wrong[0]!r}")
    return title


def _check_uid(uid: str) -> str:
    if not is_uid(uid):
        raise ValueError(f"{uid!r} is no UID: digits and dots, at most 64 characters (PS3.5 9.1)")
    return uid


def _check_database(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    if not url or (separator and scheme in _DATABASES):
        return url
    if scheme in ("postgres", "postgresql"):
        raise ValueError(f"{scheme}:// is written postgresql+psycopg:// here, the rest stays as it is")
    raise ValueError(f"begins with {' or '.join(f'{known}://' for known in _DATABASES)}")


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or "no PEM").replace("_", " ").lower()


_AE_TITLE_AT_MOST = 16
_DATABASES = ("sqlite", "postgresql+psycopg")
AETitle: TypeAlias = Annotated[str, AfterValidator(_check_ae_title)]
UIDText: TypeAlias = Annotated[str, AfterValidator(_check_uid)]
DatabaseURL: TypeAlias = Annotated[str, AfterValidator(_check_database)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


class TLS(_Section):
    """Certificate files in PEM; `ca` is what the other side's certificate is checked against (PS3.15 B.9)."""

    certificate: Path  # PEM file: our certificate, then the intermediate ones up to its authority
    key: Path  # PEM file: the private key of `certificate`, without a passphrase
    ca: Path  # PEM file: the authorities of which one must have signed the other side's certificate

    def problem(self, folder: Path) -> str:
        """Return which of the files is missing or no PEM, "" where a TLS context can be made of them."""
        for name, path in (("certificate", self.certificate), ("key", self.key), ("ca", self.ca)):
            if not (folder / path).is_file():
                return f"{name}: there is no file {folder / path}"
        try:
            ssl.create_default_context(cafile=folder / self.ca)
        except (ssl.SSLError, OSError) as error:
            return f"ca: {folder / self.ca} cannot be used: {_reason(error)}"
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder / self.certificate, folder / self.key)
        except (ssl.SSLError, OSError) as error:
            return f"certificate and key: {folder / self.certificate} and {folder / self.key}: {_reason(error)}"
        return ""


class Node(_Section):
    """Who we are on the network, and who may call."""

    ae_title: AETitle = "DICOMNODE"  # what senders call us; ours in every association that we request
    host: str = "127.0.0.1"  # the address listened on; "0.0.0.0" lets other machines in
    port: int = Field(11112, ge=0, le=65535)  # listened on; 0 is any free one
    accepted_callers: tuple[AETitle, ...] = ("*",)  # calling AE titles; "*" is anybody
    receivers: int = Field(0, ge=0)  # processes that take connections in turn; 0 is two for every processor, at most 8
    max_associations: int = Field(120, ge=1)  # at the same time, over all receivers
    max_associations_per_caller: int = Field(40, ge=1)  # of one calling AE title, unless it is among the [callers]
    max_associations_per_address: int = Field(40, ge=1)  # from one address, unless it is among the [callers]
    commits: bool = False  # whether senders that ask for storage commitment are answered (PS3.4 J)
    silence_s: float = Field(120.0, gt=0)  # without a byte in the middle of a message, an association is aborted
    min_kbit: float = Field(8.0, ge=0)  # per second, over `silence_s` in the middle of a message; less is aborted
    idle_s: float = Field(4 * 3600.0, gt=0)  # between two messages; a modality may hold one association for an exam
    restart_max_s: float = Field(30.0, gt=0)  # the longest pause before a part that keeps dying is started again
    extra_sop_classes: tuple[UIDText, ...] = ()  # storage SOP Class UIDs beyond the standard's
    timezone: str = "UTC"  # of the dates and times in results, e.g. "Asia/Seoul"
    tls: TLS | None = None  # with it only associations within TLS are accepted, from callers with a certificate

    @property
    def receiver_count(self) -> int:
        """How many receiver processes there are."""
        return self.receivers or min(8, 2 * (os.cpu_count() or 1))

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:  # a folder of zones is an OSError
            near = did_you_mean(name, available_timezones()) or "; abbreviations stand for several"
            raise ValueError(f'{name!r} is no IANA time zone such as "Europe/Berlin"{near}') from error
        return name


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class NamedCaller(_Section):
    """A caller that the site knows, recognised by its AE title and its address or certificate: a title proves nothing.

    Its associations count against its own limit and not against those for one AE title or one address.
    """

    ae_title: Annotated[tuple[AETitle, ...], BeforeValidator(_one_or_more), Field(min_length=1)]
    # one or several; "*" is any title that comes from these addresses, as behind a router or NAT
    addresses: Annotated[tuple[IPvAnyNetwork, ...], BeforeValidator(_one_or_more)] = ()  # "10.1.2.3", "10.1.2.0/24"
    certificates: Annotated[tuple[str, ...], BeforeValidator(_one_or_more)] = ()
    # that it shows as a TLS client: PEM files, or SHA-256 fingerprints
    max_associations: int = Field(20, ge=1)  # at the same time
    reserved_associations: int = Field(2, ge=0)  # places that nobody else gets
    corrects: bool = False  # whether it may move or correct what another caller has sent

    @model_validator(mode="after")
    def _can_be_recognised(self) -> Self:
        if not (self.addresses or self.certificates):
            raise ValueError("needs addresses, certificates or both: anybody can take an AE title")
        return self

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        if self.corrects and "*" in self.ae_title:
            raise ValueError('corrects = true needs the ae_title of who corrects, not "*"')
        if self.reserved_associations > self.max_associations:
            raise ValueError("reserved_associations is more than max_associations")
        return self


class Storage(_Section):
    """Where objects are kept, and when a series counts as complete."""

    folder: Path = Path("data")  # of everything that the node keeps; docs/operations.md says what is in it
    group: str | None = None  # of users who may read what is kept; None is the node's own user alone
    min_free_gb: float = Field(5.0, ge=0)  # below this, C-STORE is answered 0xA700
    ready_mb: int = Field(512, ge=0)  # at most, of files that are filled with zeros between pushes to make them faster
    max_waiting: int = Field(100_000, ge=1)  # objects without a row yet; above this, senders are told to come later
    keep_days: float | None = Field(None, ge=0)  # finished series are removed after this; None is never
    keep_free_gb: float | None = Field(None, ge=0)  # below this the oldest finished series are removed; None is never
    committed_days: float = Field(365, gt=0)  # what a sender was told to be committed stays at least so long
    series_quiet_s: float = Field(10.0, gt=0)  # silence after which a series is looked at
    study_quiet_s: float = Field(30.0, gt=0)  # silence after which `pick = "best"` chooses
    complete_when: Literal["quiet", "header", "source"] = "quiet"  # besides silence: the count that the header, or a
    # query at the peer that sent it, gives for the series
    complete_wait_s: float = Field(1800.0, gt=0)  # silence after which a series short of its count is held
    regeneration_s: float = Field(300.0, gt=0)  # silence after which late instances are looked at
    max_generations: int = Field(5, ge=1)  # a series that keeps changing is held after this many
    max_study_age_days: float = Field(14, gt=0)  # older studies are stored, not run
    live_series_per_h: int = Field(500, ge=1)  # of one caller; what comes beyond that waits behind everything else


class Database(_Section):
    """SQLAlchemy URLs; empty means SQLite files in the storage folder."""

    catalog: DatabaseURL = ""  # URL of the database of objects, stacks, runs and deliveries; empty is catalog.sqlite
    work: DatabaseURL = ""  # URL of the database of the jobs' steps; empty is work.sqlite


class Encoding(_Section):
    """How a peer wants its results encoded; peers that want the same get the same objects."""

    seg_type: SegType = "BINARY"  # LABELMAP: one frame for each slice; FRACTIONAL: the model's probabilities
    radiograph_seg: Literal["plain", "oriented"] = "plain"  # the latter invents an orientation that some viewers demand
    seg_compression: Compression = "none"  # lossless all; a BINARY SEG is sent plain or as JPEG 2000
    empty_frames: bool = False  # whether a SEG keeps frames without any marked pixel
    sr_class: Literal["comprehensive 3d", "comprehensive"] = "comprehensive 3d"  # the latter for an old peer
    sr_title: SrTitle = "126000"  # "auto": 126001 where a group has no outline, for a viewer that then shows the text
    sc_frames: Literal["multiple", "single"] = "multiple"  # of drawn slices: one object, or one each for an old peer
    sc_modality: str = Field("OT", pattern=r"^[A-Z]{2,16}$")  # so that no hanging protocol takes it for an original
    page_language: Language = "en"  # of PAGE and PDF; a pipeline's own remarks may stay in English
    page_patient: Literal["none", "id", "name"] = "id"  # what of the patient PAGE and PDF show: nothing, not even the
    # header's descriptions; Patient ID and study date; name and birth date as well

    @model_validator(mode="after")
    def _compressible(self) -> Self:
        if self.seg_type == "BINARY" and self.seg_compression not in ("none", "JPEG 2000"):
            raise ValueError(
                f'seg_compression = "{self.seg_compression}" cannot hold a BINARY SEG: '
                'take "none" or "JPEG 2000", or another seg_type'
            )
        return self


class Peer(Encoding):
    """Another DICOM node that results go to: by DIMSE to `host` and `port`, or by STOW-RS to `url`."""

    ae_title: AETitle = "DICOMWEB"  # what the peer is called, and calls itself
    host: str = ""  # its name or address; with ae_title and port, or else a url
    port: int = Field(0, ge=0, le=65535)  # its DICOM port
    url: str = ""  # of the DICOMweb service, before /studies
    viewer: Viewer = "generic"  # what people open results with: sets those of the encoding that this section does not
    token_file: Path | None = None  # a bearer token for `url`, read anew for each request
    tls: TLS | None = None  # with it we speak to the peer within TLS
    required: bool = True  # a stack is delivered once every required peer has its results
    commitment: Literal["required", "c-find", "none"] = "none"  # the proof that a stored result is kept (PS3.4 J)
    commit_from: str = Field("", max_length=16)  # AE title of who reports on commitment; empty is ae_title
    commit_timeout_h: float = Field(1.0, gt=0)  # before an unanswered request for commitment is made anew
    fetch: Literal["move", "get"] = "move"  # C-MOVE to our AE title, which the peer must know, or C-GET
    max_associations: int = Field(1, ge=1)  # at the same time, for results
    max_mbit: float | None = Field(None, gt=0)  # per second and association, within max_mbit_hours
    max_mbit_hours: tuple[time, time] = (time(7), time(19))  # of the node's time zone; may pass midnight
    timeout_s: float = Field(30.0, gt=0)  # the longest wait for a connection to the peer, or for its answer
    retry_s: float = Field(10.0, gt=0)  # before the second attempt; doubles up to retry_max_s
    retry_max_s: float = Field(1800.0, gt=0)  # the longest pause between two attempts
    give_up_after_h: float = Field(72.0, gt=0)  # then the result has failed, and waits for `dicom-node retry`
    rejection_notes: bool = True  # whether a note (DCM 113037) is sent for what stands under a patient or study that
    # its images have left; without it a person has to settle that
    reject_replaced: Literal["", "quality", "safety"] = ""  # an IOCM note hides what a re-run replaced, for this reason

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        if url and not re.match("https?://.", url):
            raise ValueError(f"a DICOMweb address begins with http:// or https://; {url!r} came")
        return url

    @property
    def reports_as(self) -> str:
        """The AE title under which the peer reports on storage commitment."""
        return self.commit_from or self.ae_title

    @property
    def where(self) -> str:
        """How the peer is called, for people."""
        return self.url or f"{self.ae_title} at {self.host}:{self.port}"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        named = {"ae_title", "host", "port"} & self.model_fields_set
        if self.url and named:
            raise ValueError("a peer has either a url, or ae_title, host and port")
        if not self.url and (len(named) < 3 or not self.port or not self.host.strip()):
            raise ValueError("a peer needs ae_title, host and port, or a url")
        if self.url and self.commitment == "required":
            raise ValueError('DICOMweb has no storage commitment: take "c-find", which asks by QIDO-RS, or "none"')
        return self

    @property
    def preset(self) -> Mapping[str, str]:
        """What `viewer` decides of the encoding, since this section does not."""
        return {name: value for name, value in PRESETS[self.viewer].items() if name not in self.model_fields_set}

    @property
    def encoding(self) -> Encoding:
        """How results are encoded: as this section says, else as its viewer wants them, else as usual."""
        own = {name: getattr(self, name) for name in Encoding.model_fields}
        return Encoding.model_validate({**own, **self.preset})


class Condition(_Section):
    """What one fact must be; every key that is given must hold (HOSPITAL rules: absent is false but for the last)."""

    any_of: tuple[Scalar, ...] = ()  # one of these, strings compared trimmed and without case
    min: float | None = None  # the value is not below this
    max: float | None = None  # nor above this
    matches: HeaderPattern | None = None  # a regular expression, found anywhere; _ - . / in the value count as blanks
    has: tuple[str, ...] = ()  # all of these are among the values
    lacks: tuple[str, ...] = ()  # none of these is among the values
    exists: bool | None = None  # whether the fact is there at all
    not_: Condition | None = Field(None, alias="not")  # this does not hold

    @field_validator("has", "lacks", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return _one_or_more(value)

    @field_validator("not_", mode="before")
    @classmethod
    def _plain_not(cls, value: object) -> object:
        return None if value is None else _as_condition(value)


def _as_condition(value: object) -> object:
    """A scalar is equality, a list is any-of, a table is itself."""
    if isinstance(value, (Mapping, Condition)):
        return value
    return {"any_of": value if isinstance(value, (list, tuple)) else (value,)}


def _as_alternatives(value: object) -> object:
    """One table, or a list of tables of which one must hold."""
    return (value,) if isinstance(value, Mapping) else value


Conditions: TypeAlias = dict[str, Annotated[Condition, BeforeValidator(_as_condition)]]
When: TypeAlias = Annotated[tuple[Conditions, ...], BeforeValidator(_as_alternatives)]


class Gate(_Section):
    """A pipeline that runs before routing and adds the fact of the gate's name."""

    pipeline: str  # the [pipelines.NAME] that answers
    when: When = ({},)  # which stacks are asked about; left out, all
    send_to: tuple[str, ...] = ()  # peers that the answer goes to
    on_disagreement: Literal["pixels", "header", "hold"] = "pixels"  # whose answer counts where the two differ
    on_uncertain: Literal["header", "hold", "run"] = "hold"  # what follows where the pixels do not say


class Route(_Section):
    """Which stacks run which pipelines, and where the results go."""

    name: str  # shown in `explain`
    when: When  # the conditions on a stack; of several tables one has to hold
    run: tuple[str, ...] = Field(min_length=1)  # names of [pipelines.NAME], all of which run on the stack
    send_to: tuple[str, ...] = ()  # peers that the results go to
    priority: int = Field(5, ge=1, le=9)  # 1 goes first
    pick: Literal["best"] | None = None  # of several stacks of one study that match, only the best runs
    prefer: Conditions = {}  # for pick: how many of these hold is what counts first
    copies: bool = False  # also run on a stack that shows the same as an earlier one, under other UIDs
    needs_prior: bool = False  # first bring the patient's latest earlier study of the same modality here
    prior_from: str = ""  # the peer that is asked for it; empty is the first of send_to
    report_refusals: bool = False  # send an SR that says why a matching stack was not run


class Implausible(_Section):
    """What follows where a finding cannot be the organ that it is called, by the kind of bound that does not hold."""

    place: Outcome = "refuse"  # where in the body
    shape: Outcome = "refuse"  # extent, convexity, lobes, holes
    body: Outcome = "refuse"  # whether the images show a patient, and no phantom
    volume: Outcome = "remark"  # or area, for the patient's age: a rare organ, not a wrong one


def _as_implausible(value: object) -> object:
    """One word is the outcome of every kind of bound, a table is itself."""
    if not isinstance(value, str):
        return value
    if value not in get_args(Outcome):
        words = ", ".join(get_args(Outcome))
        raise ValueError(f"{value!r} is none of {words}{did_you_mean(value, get_args(Outcome))}")
    return dict.fromkeys(Implausible.model_fields, value)


class PipelineSection(BaseModel):
    """One model: its weights and device; keys not named here are the pipeline's own settings."""

    model_config = ConfigDict(frozen=True, extra="allow")

    use: str = ""  # "module:Class"; empty is pipelines.NAME
    weights: str | Mapping[str, str] = ""  # a catalogue entry, or entries by role; empty is no weights yet
    device: str = "cpu"  # torch's name of it, e.g. "cuda:0"
    outputs: tuple[OutputKind, ...] = ("SEG", "SR")  # what is made of a run's findings
    timeout_s: float = Field(900.0, gt=0)  # the longest time of one run; then the model process is ended
    on_implausible: Annotated[Implausible, BeforeValidator(_as_implausible)] = Implausible()
    # one word for every kind of bound, or the table below

    @property
    def settings(self) -> Mapping[str, Any]:
        """The pipeline's own settings."""
        return MappingProxyType(self.model_extra or {})

    @property
    def weights_by_role(self) -> Mapping[str, str]:
        """Catalogue entry names by role; the role is "" where there is one."""
        if isinstance(self.weights, str):
            return {"": self.weights} if self.weights else {}
        return self.weights


class Workers(_Section):
    """How durable work is done."""

    poll_s: float = Field(0.5, gt=0)  # of the queues and of the reconciler
    threads: int = Field(0, ge=0)  # a model's threads; 0 is the processors less one
    nice: int = Field(10, ge=0, le=19)  # added to a model process's niceness
    max_frame_megapixels: float = Field(128, gt=0)  # Rows x Columns; a larger image is refused before it is decoded
    max_stack_megapixels: float = Field(1024, gt=0)  # Rows x Columns x frames that a pipeline reads
    decode_timeout_s: float = Field(300.0, gt=0)  # for one stack's pixels; then the model process is ended
    max_memory_gb: float | None = Field(None, gt=0)  # of a model process; None is three quarters of the machine's
    max_attempts: int = Field(3, ge=1)  # of a job whose process died under it
    lease_s: float = Field(15.0, gt=0)  # after this silence another work process takes over


class Log(_Section):
    """Log lines hold UIDs, AE titles, addresses and this file's words, never a text of an image's header."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"  # the least severity that is logged
    peer_comments: bool = False  # whether a peer's own words beside a status are logged, the patient's values masked
    format: Literal["text", "json"] = "text"  # json: one object per line
    file: Path | None = None  # beside standard error; all processes of the node write to this one file
    file_mb: float = Field(10.0, gt=0)  # above this the file is put aside as FILE.1, FILE.1 as FILE.2, ...
    file_count: int = Field(5, ge=1)  # of files that were put aside and are kept


class _Document(_Section):
    weights: Path | None = None  # where a site's own weights are added; None is weights/ in the storage folder
    node: Node = Node()
    callers: dict[str, NamedCaller] = {}
    storage: Storage = Storage()
    database: Database = Database()
    peers: dict[str, Peer] = {}
    gates: dict[str, Gate] = {}
    conditions: dict[str, Conditions] = {}  # named groups of conditions that a `when` includes by `use`
    routes: tuple[Route, ...] = ()
    pipelines: dict[str, PipelineSection] = {}
    workers: Workers = Workers()
    log: Log = Log()


class Config(_Document):
    """The whole file; `folder` is where it lies, and relative paths start there."""

    folder: Path
    unused_conditions: tuple[str, ...] = ()  # groups of [conditions] that no `when` includes

    @property
    def storage_folder(self) -> Path:
        """Where objects are kept, absolute."""
        return self.folder / self.storage.folder

    @property
    def weights_folder(self) -> Path:
        """Where the site's own weights and their catalog.toml lie, absolute: what imports and trainings add."""
        return self.storage_folder / "weights" if self.weights is None else self.folder / self.weights

    @property
    def catalog_url(self) -> str:
        """SQLAlchemy URL of our own tables."""
        return self.database.catalog or f"sqlite:///{self.storage_folder / 'catalog.sqlite'}"

    @property
    def work_url(self) -> str:
        """SQLAlchemy URL of the engine's tables."""
        return self.database.work or f"sqlite:///{self.storage_folder / 'work.sqlite'}"

    @model_validator(mode="after")
    def _names_exist(self) -> Config:
        names = [route.name for route in self.routes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two routes are called {name!r}")
        facts = [*COMPUTED_FACTS, *self.gates, *keyword_dict]
        for where, use in self._uses():
            _known(use.peers, self.peers, f"{where} sends to", "peer")
            _known(use.pipelines, self.pipelines, f"{where} runs", "pipeline")
            _known(
                use.facts, facts, f"{where} asks for", "DICOM keyword or fact", "; a fact of the pixels needs a gate"
            )
        return self

    @model_validator(mode="after")
    def _callers_have_places(self) -> Config:
        reserved = sum(caller.reserved_associations for caller in self.callers.values())
        accepted, most = self.node.accepted_callers, self.node.max_associations
        if reserved >= most:
            raise ValueError(f"[callers] reserve {reserved} of node.max_associations = {most}: leave places for others")
        for name, caller in self.callers.items():
            if "*" not in accepted and not set(caller.ae_title) & {"*", *accepted}:
                raise ValueError(f"callers.{name} has no ae_title that node.accepted_callers lets in")
            if caller.certificates and self.node.tls is None:
                raise ValueError(f"callers.{name} has certificates, which are shown over TLS only: add [node.tls]")
        return self

    def _uses(self) -> Iterable[tuple[str, _Use]]:
        for name, gate in self.gates.items():
            yield f"gates.{name}", _Use(gate.send_to, (gate.pipeline,), _facts(gate.when))
        for route in self.routes:
            peers = (*route.send_to, *filter(None, [route.prior_from]))
            yield f"route {route.name!r}", _Use(peers, route.run, _facts((*route.when, route.prefer)))
        for name, group in self.conditions.items():
            yield f"conditions.{name}", _Use((), (), group)


@dataclasses.dataclass(frozen=True, slots=True)
class _Use:
    peers: Iterable[str]
    pipelines: Iterable[str]
    facts: Iterable[str]


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: naming the place in the file, what came, and the nearest known word.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file; `dicom-node init` writes one") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    if ours := {"folder", "unused_conditions"}.intersection(values):
        raise ConfigError(f"{path}: {min(ours)}: unknown keyword")
    try:
        found = {"folder": path.resolve().parent, "unused_conditions": unused_groups(values)}
        return Config.model_validate({**include_groups(values), **found})
    except ValidationError as error:
        lines = validation_sentences(error, values, _KEYWORDS)
        raise ConfigError("\n".join(f"{path}: {line}" for line in lines)) from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _facts(alternatives: Iterable[Conditions]) -> Iterable[str]:
    return [fact for conditions in alternatives for fact in conditions]


def _known(names: Iterable[str], known: Collection[str], where: str, what: str, otherwise: str = "") -> None:
    for name in names:
        if name not in known:
            alike = [word for word in known if word[:1].islower() == name[:1].islower()]  # keywords are Capitalised
            near = did_you_mean(name, alike) or otherwise
            raise ValueError(f"{where} {name!r}, which is no {what} here{near}")


def _keywords_of(*sections: type[BaseModel]) -> tuple[str, ...]:
    fields = [field for section in sections for field in section.model_fields.items()]
    return tuple(field.alias or name for name, field in fields)


_KEYWORDS = {
    "": _keywords_of(_Document),
    "node": _keywords_of(Node, TLS),
    "callers": _keywords_of(NamedCaller),
    "storage": _keywords_of(Storage),
    "database": _keywords_of(Database),
    "peers": _keywords_of(Peer, TLS),
    "gates": _keywords_of(Gate),
    "routes": _keywords_of(Route),
    "pipelines": _keywords_of(PipelineSection, Implausible),
    "workers": _keywords_of(Workers),
    "log": _keywords_of(Log),
    "when": _keywords_of(Condition),
}
"""The keywords of each table of the file; "" is its top, "when" a condition."""
