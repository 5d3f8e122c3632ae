from multiprocessing import Pipe

import numpy as np
import pytest

from dicom_node.infer.messages import receive, send


@pytest.mark.parametrize(
    "array", [np.arange(24, dtype=np.float32).reshape(2, 3, 4)[:, ::2], np.zeros((0, 4)), np.array(7, np.int16)]
)
def test_an_array_arrives_as_it_was_and_may_be_changed(array: np.ndarray) -> None:
    ours, theirs = Pipe()
    send(ours, {"what": "é"}, {"one": array, "two": array})
    values, arrays = receive(theirs)
    assert values == {"what": "é"}
    assert arrays["one"].dtype == array.dtype
    assert np.array_equal(arrays["two"], array)
    assert arrays["one"].shape == array.shape
    assert arrays["one"].flags.writeable
