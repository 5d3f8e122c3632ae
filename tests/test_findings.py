from pathlib import Path

import numpy as np

from dicom_node.findings import (
    Box,
    Classification,
    Code,
    Detection,
    ErasedImage,
    Findings,
    Measurement,
    Remark,
    Segment,
    Segmentation,
    load_findings,
    save_findings,
)

CODE = Code("39607008", "SCT", "Lung")
BOX = Box("L", CODE, 1, 2, 3.5, 4, 0.9)


def test_findings_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    labels = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    stored = np.full((2, 3), 4000, dtype=np.uint16)
    found = (
        Segmentation(labels, (Segment(1, "lung", CODE, CODE, (1, 2, 3), CODE),)),
        Classification("contrast", CODE, "enhanced", CODE, 0.75),
        Detection(CODE, (BOX,)),
        Measurement(CODE, 12.5, Code("mm2", "UCUM", "mm2"), "lung"),
        ErasedImage(stored, (BOX,), "harmonic"),
        Remark("아래"),
    )
    save_findings(Findings("lung_cxr", "1", {"w": "abc"}, {"threshold": 0.5}, found), tmp_path / "findings.npz")
    back = load_findings(tmp_path / "findings.npz")
    assert back.found[1:4] == found[1:4]
    assert back.found[5] == found[5]
    assert np.array_equal(back.of(Segmentation)[0].labels, labels)
    assert back.of(ErasedImage)[0].stored.dtype == np.uint16
    assert (back.pipeline, back.weights, back.settings) == ("lung_cxr", {"w": "abc"}, {"threshold": 0.5})
