import itertools

import numpy as np
import pytest

from dicom_node.images import Stack, Volume

STACK = Stack("1.2", "1.3", (), {})


def volume(axes: np.ndarray) -> Volume:
    affine = np.eye(4)
    affine[:3, :3] = axes
    return Volume(np.arange(24, dtype=np.float32).reshape(2, 3, 4), affine, "1.4", STACK)


def turned(order: tuple[int, ...], signs: tuple[int, ...]) -> np.ndarray:
    axes = np.zeros((3, 3))
    for source, (patient, sign) in enumerate(zip(order, signs, strict=True)):
        axes[patient, source] = sign * (source + 1)
    return axes


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
def test_turning_to_patient_axes_and_back_is_the_identity(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    source = volume(turned(order, signs))
    oriented = source.oriented("SPL")
    assert np.array_equal(oriented.restore(oriented.array), source.array)


def test_columns_of_an_spl_view_grow_to_the_patients_left() -> None:
    axial = volume(turned((2, 1, 0), (1, 1, -1)))  # columns stored right-going, as a negated row direction
    assert np.array_equal(axial.oriented("SPL").array, axial.array[:, :, ::-1])
    assert axial.oriented("SPL").spacing_mm == (1.0, 2.0, 3.0)


def test_a_stack_survives_json() -> None:
    stack = Stack("1.2", "1.3", (), {"Modality": ("CT",), "SliceThickness": (5.0,)})
    assert Stack.from_json(stack.to_json()) == stack
