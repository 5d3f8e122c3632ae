from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from dicom_node.callers import Callers
from dicom_node.config import Config


def configured(callers: dict[str, dict[str, object]], **node: object) -> Config:
    return Config.model_validate({"folder": Path("/nowhere"), "callers": callers, "node": node})


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
    assert Callers(configured(CALLERS).callers).name_of(ae_title, address) == name


@pytest.mark.parametrize(
    ("caller", "node", "said"),
    [
        ({"ae_title": "CT1"}, {}, "callers.ct.addresses"),
        ({"ae_title": "CT1", "addresses": []}, {}, "callers.ct.addresses"),
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
