from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from dicom_node.callers import Callers
from dicom_node.config import Config
from dicom_node.errors import ConfigError


def configured(callers: dict[str, dict[str, object]], **node: object) -> Config:
    return Config.model_validate({"folder": Path("/nowhere"), "callers": callers, "node": node})


TLS = {"certificate": "a.pem", "key": "a.key", "ca": "ca.pem"}
CALLERS: dict[str, dict[str, object]] = {
    "router": {"ae_title": "*", "addresses": "10.0.0.0/8"},
    "ct": {"ae_title": ["CT1", "CT2"], "addresses": ["10.1.2.3", "fe80::1"]},
}


@pytest.mark.parametrize(
    ("ae_title", "address", "name"),
    [
        ("CT1", "10.1.2.3", "ct"),
        ("CT2 ", "fe80::1%eth0", "ct"),
        ("CT1", "::ffff:10.1.2.3", "ct"),
        ("CT1", "10.1.2.4", "router"),
        ("US", "10.1.2.3", "router"),
        ("CT1", "192.168.0.1", None),
    ],
)
def test_a_caller_is_known_by_its_ae_title_and_address_together(ae_title: str, address: str, name: str | None) -> None:
    assert Callers(configured(CALLERS)).name_of(ae_title, address, certificate="") == name


@pytest.mark.parametrize(
    ("caller", "node", "said"),
    [
        ({"ae_title": "CT1"}, {}, "needs addresses, certificates or both"),
        ({"ae_title": "CT1", "addresses": []}, {}, "needs addresses, certificates or both"),
        ({"ae_title": "CT1", "certificates": "ct1.pem"}, {}, "certificates, which are shown over TLS only"),
        ({"ae_title": "CT1", "addresses": "10.1.2.300"}, {}, "not a valid IPv4 or IPv6 network"),
        ({"ae_title": "*", "addresses": "10.1.2.3", "corrects": True}, {}, "needs the ae_title of who corrects"),
        ({"ae_title": "CT1", "addresses": "10.1.2.3"}, {"max_associations": 2}, "leave places for others"),
        (
            {"ae_title": "CT1", "addresses": "10.1.2.3"},
            {"accepted_callers": ["MR1"]},
            "callers.ct has no ae_title that node.accepted_callers lets in",
        ),
    ],
)
def test_a_section_that_could_not_work_is_refused(
    caller: dict[str, object], node: dict[str, object], said: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        configured({"ct": caller}, **node)
    assert said in str(refused.value) or said in [".".join(map(str, error["loc"])) for error in refused.value.errors()]


@pytest.mark.parametrize(
    "named",
    ["ab" * 32, "SHA256:" + "AB" * 32, ":".join(["AB"] * 32), ["cd" * 32, "ab" * 32]],
)
def test_a_fingerprint_may_be_written_as_tools_print_it(named: str | list[str]) -> None:
    callers = Callers(configured({"pacs": {"ae_title": "PACS", "certificates": named}}, tls=TLS))
    assert callers.name_of("PACS", "10.9.9.9", "ab" * 32) == "pacs"
    assert callers.name_of("PACS", "10.9.9.9", "ef" * 32) is None
    assert callers.name_of("PACS", "10.9.9.9", "") is None
    assert callers.name_of("OTHER", "10.9.9.9", "ab" * 32) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, r"\[callers.pacs\] certificate .*/pacs.pem: No such file"),
        ("no PEM", "holds no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----", "cannot be decoded"),
    ],
)
def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "pacs.pem").write_text(text)
    callers = {"pacs": {"ae_title": "PACS", "certificates": "pacs.pem"}}
    config = Config.model_validate({"folder": tmp_path, "callers": callers, "node": {"tls": TLS}})
    with pytest.raises(ConfigError, match=said):
        Callers(config)
