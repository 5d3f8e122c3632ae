"""What comes with the program besides code: the default configuration and the starter weights.

In the source tree both stand at its top, where people edit them; setup.py puts copies into the wheel, in this folder.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent
_IS_WHEEL = (_HERE / "config.toml").is_file()
_ROOT = _HERE if _IS_WHEEL else _HERE.parents[1]

CONFIG = _ROOT / "config.toml"
"""The default configuration, every key explained."""

WEIGHTS = _ROOT / "weights"
"""The folder of the starter weights and their catalogue: read, never written, by the program."""
