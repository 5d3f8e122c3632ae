"""The published Keras networks in TensorFlow, for weights that a site would rather run where they were trained.

Only the TensorFlow process imports this folder, and nothing in it imports PyTorch. `NETWORKS` has a function per recipe
that builds its model with names for its outputs; `fill` puts a published checkpoint's tensors into it.
"""

from pipelines.published.keras.checkpoint import fill
from pipelines.published.keras.recipes import NETWORKS

__all__ = ["NETWORKS", "fill"]
