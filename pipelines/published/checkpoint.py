"""PyTorch checkpoints `{"net": state dict}`, read without running anything that they hold."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dicom_node.errors import WeightsError
from dicom_node.weights_import import FoundTensor
from dicom_node.weights_import.archive import refuse_inflated


@contextmanager
def open_torch(path: Path) -> Iterator[Sequence[FoundTensor]]:
    """Open a checkpoint with torch's restricted unpickler: tensors and plain containers, nothing that is called."""
    _refuse_inflated(path)
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        what = str(error).split("\n")[0]
        raise WeightsError(
            f"is refused: it holds more than tensors, loading it could run code, or it is damaged ({what})"
        ) from error
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise WeightsError(f"cannot be read as a PyTorch checkpoint, it is damaged or incomplete ({error})") from error
    yield _tensors(held)


def _refuse_inflated(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            refuse_inflated(archive, path.stat().st_size)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise WeightsError(f"cannot be read as a PyTorch checkpoint, it is damaged ({error})") from error


def _tensors(held: Any) -> list[FoundTensor]:
    state = held.get("net") if isinstance(held, dict) else None
    if not isinstance(state, dict):
        keys = ", ".join(str(key) for key in held)[:200] if isinstance(held, dict) else type(held).__name__
        raise WeightsError(f'holds no state dict under "net", only: {keys or "nothing"}')
    return [_found(name, value) for name, value in state.items()]


def _found(name: Any, value: Any) -> FoundTensor:
    if not isinstance(name, str) or not isinstance(value, Tensor):
        raise WeightsError(f"{str(name)[:100]}: is no named tensor but {type(value).__name__}")
    if value.layout != torch.strided or value.is_quantized or value.is_meta:
        raise WeightsError(f"tensor {name}: is no plain array of numbers")
    return FoundTensor("", name, tuple(value.shape), partial(_read, name, value))


def _read(name: str, value: Tensor) -> NDArray[Any]:
    if not value.dtype.is_floating_point:
        raise WeightsError(f"tensor {name}: holds {value.dtype}, not floating-point numbers")
    return np.asarray(value.detach().float().numpy())
