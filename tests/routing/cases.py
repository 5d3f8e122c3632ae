"""Small configurations and stacks for routing."""

from __future__ import annotations

import datetime as dt
from typing import Any

from dicom_node.config import Config
from dicom_node.images import FactValue, Frame, Stack
from dicom_node.routing import Decision, GateAnswer, Given, decide

TODAY = dt.date(2026, 3, 1)
ENHANCED = {"Modality": "CT", "contrast": "enhanced"}


def config(*routes: dict[str, Any], gate: dict[str, str] | None = None) -> Config:
    """Return a configuration with one gate, `contrast`, and the given routes; each runs "liver" unless it says else."""
    named = [{"name": f"route{number}", "run": ["liver"], **route} for number, route in enumerate(routes)]
    peer = {"ae_title": "PACS", "host": "localhost", "port": 104}
    return Config.model_validate(
        {
            "folder": "/nowhere",
            "gates": {"contrast": {"pipeline": "gate", "when": {"Modality": "CT"}, **(gate or {})}},
            "routes": named,
            "pipelines": {"gate": {}, "liver": {}, "kidney": {}},
            "peers": {"pacs": peer, "research": peer},
        }
    )


def stack(**facts: FactValue | tuple[FactValue, ...]) -> Stack:
    """Return a CT volume of one frame with further facts."""
    given = {"Modality": "CT", "kind": "volume", "StudyDate": "20260228", **facts}
    found = {name: value if isinstance(value, tuple) else (value,) for name, value in given.items()}
    return Stack("1.2", "1.2.1", (Frame("/nowhere/1", "1.2.840", "1.2.1.1"),), found)


def decided(
    settings: Config, one: Stack | None = None, answer: GateAnswer | None = None, **given: dict[str, str]
) -> Decision:
    """Decide for a stack with the contrast gate's answer, if any."""
    return decide(settings, one or stack(), {"contrast": answer} if answer else {}, Given(TODAY, **given))
