"""`dicom-node run` in a process of its own, with the limits of memory and time that a node's model process has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from dicom_node import library
from dicom_node.bounds import end_after, limit_memory
from dicom_node.cli_shared import require_known
from dicom_node.config import Config
from dicom_node.errors import DicomNodeError
from dicom_node.imaging.decoder_messages import capture_decoder_messages
from dicom_node.infer.attached import answer_all
from dicom_node.infer.messages import NO_ARRAYS
from dicom_node.processes import attached


def main() -> None:
    """Answer the one request."""
    capture_decoder_messages()
    connection, config = attached()
    limit_memory(config.workers)
    answer_all(connection, lambda request, _arrays: (_answer(config, request), NO_ARRAYS))


def _answer(config: Config, request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"files": _run(config, request["pipeline"], request)}
    except DicomNodeError as error:
        return {"problem": str(error)}
    except MemoryError:
        return {"problem": "more memory was needed than [workers] max_memory_gb allows"}
    except OSError as error:  # a folder that cannot be written to, a full disk
        return {"problem": f"{error.filename}: {error.strerror}" if error.filename else str(error)}


def _run(config: Config, pipeline: str, request: Mapping[str, Any]) -> list[str]:
    require_known(pipeline, {*config.pipelines, *library.pipeline_names()}, "pipeline", "[pipelines.NAME]")
    changed = library.with_changes(config, pipeline, request["weights"])
    loaded = library.Loaded(changed, pipeline, partial(end_after, config.workers.decode_timeout_s))
    files = library.run_to_files(changed, loaded, Path(request["path"]), Path(request["out"]), raw=request["raw"])
    return [str(file) for file in files]


if __name__ == "__main__":
    main()
