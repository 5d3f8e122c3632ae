"""Whether a device that the configuration names is there, in words that say what to write instead."""

from __future__ import annotations

import torch

from dicom_node.errors import ConfigError


def require_device(where: str, device: str) -> None:
    """Raise ConfigError unless torch can compute on the device here; `where` is the key that names it."""
    said = f'{where} = "{device}"'
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f'{said} is no device of torch: take "cpu", "cuda" or, of several, "cuda:1"') from error
    if wanted.type == "cuda":
        _require_cuda(said, wanted)
    try:
        torch.zeros(1, device=wanted).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f'{said} cannot be computed on here: take device = "cpu"') from error


def _require_cuda(said: str, wanted: torch.device) -> None:
    if not torch.cuda.is_available():
        built = "this torch is built without CUDA" if torch.version.cuda is None else "no driver or no card is found"
        raise ConfigError(f'{said}, but torch sees no CUDA device ({built}): take device = "cpu"')
    count = torch.cuda.device_count()
    if (wanted.index or 0) >= count:
        raise ConfigError(f"{said}, but torch sees {count} CUDA devices, counted from 0")
