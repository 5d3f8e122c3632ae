"""Callers behind TLS are known by the client certificate that they show; all come from one address here."""

from __future__ import annotations

import copy
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, FileDataset
from pydicom.uid import UID
from pynetdicom import AE, build_role
from pynetdicom.association import Association

from dicom_node.catalog import Catalog, Instance, VersionState
from dicom_node.commitment import kept_messages
from dicom_node.config import Config
from dicom_node.receive.commitment import commitment_offers
from dicom_node.receive.receiver import Receiver
from dicom_node.receive.registrar import Registrar
from dicom_node.uids import STORAGE_COMMITMENT
from tests.receive.node import Site
from tests.support.certificates import Authority, Certificate
from tests.support.dicom import radiograph

_BEHIND_A_ROUTER = {"host": "10.0.0.2", "port": 104}  # whose address is not where its calls come from
_NOT_AUTHORISED = 0x0124
_VERIFICATION = "1.2.840.10008.1.1"
_INSTANCE = "1.2.840.10008.1.20.1.1"  # of the Storage Commitment Push Model


class Hospital:
    """A node over TLS, and who calls it."""

    def __init__(self, folder: Path, **node: object) -> None:
        self.authority = Authority(folder)
        self.own, self.pacs, self.scanner, self.other = map(self.authority.make, ("node", "pacs", "scanner", "other"))
        self.config = Config.model_validate(
            {
                "folder": folder,
                "node": {"ae_title": "NODE", "port": 0, "tls": self.authority.files(self.own), "commits": True, **node},
                "storage": {"folder": folder, "min_free_gb": 0, "ready_mb": 0},
                "peers": {"pacs": {"ae_title": "PACS", **_BEHIND_A_ROUTER}},
                "callers": {
                    "pacs": {
                        "ae_title": "PACS",
                        "certificates": self.pacs.fingerprint.upper(),
                        "corrects": True,
                        "reserved_associations": 1,
                    },
                    "scanner": {
                        "ae_title": "SCANNER",
                        "certificates": "scanner.pem",
                        "reserved_associations": 0,
                    },
                },
            }
        )

    @contextmanager
    def running(self) -> Iterator[Site]:
        """Run receiver and registrar."""
        catalog = Catalog(self.config.catalog_url)
        catalog.migrate()
        receiver = Receiver(self.config, commitment_offers(self.config))
        registrar = Registrar(self.config, catalog)
        receiver.start()
        registrar.start()
        try:
            yield Site(self.config.folder, self.config, catalog, receiver)
        finally:
            receiver.stop()
            registrar.stop()
            catalog.close()

    def call(
        self,
        site: Site,
        calling: str,
        shown: Certificate,
        contexts: list[Any],
        *,
        roles: list[Any] | None = None,
        address: str = "127.0.0.1",
    ) -> Association:
        """Ask for an association with a client certificate, from one of this machine's addresses."""
        entity = AE(calling)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
        for context in contexts:
            entity.add_requested_context(*context)
        tls: tuple[ssl.SSLContext, str] = self.authority.client(shown), "node"
        port, bound = site.receiver.port, (address, 0)
        return entity.associate(
            "127.0.0.1", port, ae_title="NODE", tls_args=tls, ext_neg=roles or [], bind_address=bound
        )

    def store(self, site: Site, one: FileDataset, calling: str, shown: Certificate, address: str = "127.0.0.1") -> None:
        """Send an object with a client certificate."""
        contexts = [(one.SOPClassUID, one.file_meta.TransferSyntaxUID)]
        association = self.call(site, calling, shown, contexts, address=address)
        assert association.send_c_store(one).Status == 0x0000
        association.release()


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)


def image(**values: object) -> FileDataset:
    one = copy.deepcopy(radiograph("1.2.1", "1.2.1.1"))
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = UID("1.2.1.1.1")
    for keyword, value in values.items():
        setattr(one, keyword, value)
    return one


def versions(site: Site) -> list[tuple[VersionState, str, str]]:
    rows = sorted(site.rows(Instance), key=lambda row: row.at)
    return [(row.state, row.caller, row.certificate) for row in rows]


def test_a_certificate_tells_who_corrects_from_who_only_takes_the_ae_title(hospital: Hospital) -> None:
    scanner, pacs = hospital.scanner.fingerprint, hospital.pacs.fingerprint
    with hospital.running() as site:
        hospital.store(site, image(), "SCANNER", hospital.scanner)
        site.registered(1)
        hospital.store(site, image(PatientID="SYN-2"), "PACS", hospital.pacs)
        site.registered(2)
        before = [(VersionState.SUPERSEDED, "SCANNER", scanner), (VersionState.CURRENT, "PACS", pacs)]
        assert versions(site) == before
    for path in hospital.config.folder.glob("catalog.sqlite*"):
        path.unlink()
    with hospital.running() as site:  # the certificate stands in the files, so that a rebuild says the same
        site.registered(2)
        assert versions(site) == before
        assert {row.reason for row in site.rows(Instance)} == {
            "", "pacs sent the same pixels under another header in its place"
        }  # fmt: skip


@pytest.mark.parametrize(("calling", "who"), [("PACS", "other"), ("PACS", "scanner"), ("OTHER", "pacs")])
def test_neither_title_nor_certificate_alone_may_correct(tmp_path: Path, calling: str, who: str) -> None:
    hospital = Hospital(tmp_path)
    with hospital.running() as site:
        hospital.store(site, image(), "SCANNER", hospital.scanner)
        site.registered(1)
        hospital.store(site, image(PatientID="SYN-2"), calling, getattr(hospital, who))
        site.registered(2)
        assert [state for state, *_ in versions(site)] == [VersionState.CURRENT, VersionState.HELD]


def test_a_named_callers_version_displaces_a_strangers(hospital: Hospital) -> None:
    with hospital.running() as site:
        hospital.store(site, image(), "SCANNER", hospital.other)
        site.registered(1)
        hospital.store(site, image(PixelData=bytes(32 * 32 * 2)), "SCANNER", hospital.scanner)
        site.registered(2)
        assert [state for state, *_ in versions(site)] == [VersionState.HELD, VersionState.CURRENT]


@pytest.mark.parametrize(("who", "state"), [("other", VersionState.CURRENT), ("pacs", VersionState.HELD)])
def test_who_has_sent_the_current_version_is_known_by_its_certificate_at_another_address(
    tmp_path: Path, who: str, state: VersionState
) -> None:
    hospital = Hospital(tmp_path)
    with hospital.running() as site:
        hospital.store(site, image(), "MODALITY", hospital.other)
        site.registered(1)
        hospital.store(site, image(PatientID="SYN-2"), "MODALITY", getattr(hospital, who), address="127.0.0.2")
        site.registered(2)
        assert versions(site)[-1][0] == state


def test_places_are_reserved_for_who_shows_the_certificate(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path, max_associations=2)
    echo: list[Any] = [(_VERIFICATION,)]
    with hospital.running() as site, ExitStack() as stack:
        associations = [
            hospital.call(site, calling, shown, echo)
            for calling, shown in [
                ("OTHER", hospital.other),
                ("PACS", hospital.other),
                ("PACS", hospital.pacs),
            ]
        ]
        for one in associations:
            stack.callback(one.release)
        assert [one.is_established for one in associations] == [True, False, True]


@pytest.mark.parametrize(
    ("calling", "who", "is_taken"),
    [("PACS", "pacs", True), ("PACS", "other", False), ("PACS", "scanner", False), ("SCANNER", "scanner", False)],
)
def test_a_commitment_report_counts_from_the_peers_certificate_at_any_address(
    tmp_path: Path, calling: str, who: str, *, is_taken: bool
) -> None:
    hospital = Hospital(tmp_path)
    report = Dataset()
    report.TransactionUID, report.ReferencedSOPSequence = "1.2.3.4", []
    role = build_role(STORAGE_COMMITMENT, scp_role=True)
    with hospital.running() as site:
        shown = getattr(hospital, who)
        association = hospital.call(site, calling, shown, [(STORAGE_COMMITMENT,)], roles=[role])
        status, _ = association.send_n_event_report(report, 1, STORAGE_COMMITMENT, _INSTANCE)
        association.release()
    assert status.Status == (0x0000 if is_taken else _NOT_AUTHORISED)
    kept = [message.peers for _, message in kept_messages(tmp_path)]
    assert kept == ([["pacs"]] if is_taken else [])
