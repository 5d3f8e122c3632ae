"""The node's log: a line as text or JSON, to standard error and to one file that all processes share.

No line holds a text of an image's header: a traceback is shown without the exception's message, which may quote one,
and libraries that print what objects hold are silent.
"""

from __future__ import annotations

import fcntl
import json
import logging
import sys
import traceback
import warnings
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from dicom_node.config import Config
from dicom_node.printable import one_line

_SILENT = ("pynetdicom", "pydicom", "highdicom")  # they may print what objects hold, at any level
_MB = 1_000_000


def set_up_log(config: Config) -> None:
    """Send this process's log lines where `[log]` says."""
    settings = config.log
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if settings.file is not None:
        handlers.append(SharedFile(config.folder / settings.file, round(settings.file_mb * _MB), settings.file_count))
    for handler in handlers:
        handler.setFormatter(JSONLine() if settings.format == "json" else TextLine())
    logging.basicConfig(level=settings.level, handlers=handlers, force=True)
    for library in ("alembic", "sqlalchemy", "urllib3"):
        logging.getLogger(library).setLevel(logging.WARNING)
    for library in _SILENT:
        logging.getLogger(library).addHandler(logging.NullHandler())
        logging.getLogger(library).propagate = False  # `imaging` hears what pydicom warns of by a handler of its own
    logging.getLogger("dbos").handlers = [logging.NullHandler()]  # else DBOS adds one with a format of its own
    warnings.simplefilter("ignore")  # pydicom quotes a malformed value in one, be it a birth date


class TextLine(logging.Formatter):
    """Time (UTC), level, process, logger and message in one line; below it the frames of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        head = f"{_time(record)} {record.levelname} {record.processName} {record.name}: {_message(record)}"
        frames = _frames(record)
        return f"{head}\n{frames}" if frames else head


class JSONLine(logging.Formatter):
    """One JSON object in a line; an event of the node has its values as keys beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object."""
        values = {
            "at": _time(record),
            "level": record.levelname,
            "process": record.processName,
            "logger": record.name,
            "message": _message(record),
            **getattr(record, "values", {}),
        }
        if frames := _frames(record):
            values["exception"] = frames
        return json.dumps(values)


class SharedFile(logging.Handler):
    """Appends to a file that several processes write to, and puts it aside when it is full.

    A lock file lets one process write at a time; each opens the file anew, which another may have put aside.
    """

    def __init__(self, path: Path, most_bytes: int, count: int) -> None:
        """Keep `count` files beside the one that is written: FILE.1 is the newest of them."""
        super().__init__()
        self._path, self._most_bytes, self._count = path, most_bytes, count
        path.parent.mkdir(parents=True, exist_ok=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, whole."""
        line = f"{self.format(record)}\n".encode()
        try:
            with self._numbered(".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if self._path.exists() and self._path.stat().st_size + len(line) > self._most_bytes:
                    self._put_aside()
                with self._path.open("ab") as file:
                    file.write(line)
        except OSError as error:
            sys.stderr.write(f"the log file {self._path} cannot be written: {error.strerror}\n")

    def _put_aside(self) -> None:
        for number in range(self._count - 1, 0, -1):
            if self._numbered(f".{number}").exists():
                self._numbered(f".{number}").replace(self._numbered(f".{number + 1}"))
        self._path.replace(self._numbered(".1"))

    def _numbered(self, ending: str) -> Path:
        return self._path.with_name(self._path.name + ending)


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return f"{at.isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"


def _message(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.name.startswith("dbos"):  # what follows may be the message of any exception
        text = text.partition("\n")[0].partition(":")[0]
    return one_line(text)


def _frames(record: logging.LogRecord) -> str:
    """Return an exception's frames and type; "" where the record has none."""
    kind, where = _exception(record)
    return "".join([*traceback.format_tb(where), kind.__name__]) if kind else ""


def _exception(record: logging.LogRecord) -> tuple[type[BaseException] | None, TracebackType | None]:
    return (record.exc_info[0], record.exc_info[2]) if record.exc_info else (None, None)
