"""A site's own pipeline with a mistake in one of its methods; the setting `in` says in which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from dicom_node.pipeline import Model, Pipeline, Radiograph, Settings, Stack, Volume, Weights


class FaultySettings(Settings):
    """Where the mistake is: refuse, load, prepare, infer, finish, or "finish returns" and the like."""

    where: str = Field("", alias="in")


class Faulty(Pipeline):
    """Divides by zero, or returns a number where something else is wanted."""

    name: ClassVar[str] = "faulty"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "Faulty"
    takes: ClassVar[type[Volume] | type[Radiograph]] = Radiograph
    settings_type: ClassVar[type[FaultySettings]] = FaultySettings
    needs_weights: ClassVar[bool] = False
    settings: FaultySettings

    def refuse(self, stack: Stack) -> Any:  # noqa: ARG002
        return self._do("refuse", None)

    def load(self, weights: Mapping[str, Weights], device: str) -> Any:  # noqa: ARG002
        return self._do("load", Model([self]))

    def prepare(self, image: Any, previous: Any) -> Any:  # noqa: ARG002
        return self._do("prepare", image)

    def infer(self, batch: Any) -> Any:
        return self._do("infer", batch)

    def finish(self, output: Any, image: Any) -> Any:  # noqa: ARG002
        return self._do("finish", ())

    def _do(self, step: str, right: Any) -> Any:
        if self.settings.where == f"{step} returns":
            return 7
        return 1 // 0 if self.settings.where == step else right
