"""Loading a series and encoding a SEG, beside SimpleITK and highdicom used as their documentation shows.

`python -m benchmarks.results [--slices 600]` prints a Markdown table: seconds, the ratio to ours, and peak memory. Each
measurement runs in a process of its own, so that its peak memory is its own; files are in the page cache for all alike.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import highdicom as hd
import numpy as np
import SimpleITK as sitk  # noqa: N813  # the name its documentation uses
from numpy.typing import NDArray
from pydicom import FileDataset, dcmread
from pydicom.uid import JPEGLSLossless, generate_uid

from dicom_node.findings import Segmentation
from dicom_node.images import Stack
from dicom_node.imaging import dicom_files, read_volume, split
from dicom_node.results.encode import encode
from dicom_node.results.provenance import finished
from dicom_node.results.seg import encode_segmentation
from dicom_node.results.sources import read_sources
from dicom_node.results.writing import write
from tests.results import builders

SHAPE = (512, 512)


def series(folder: Path, slices: int, *, compressed: bool) -> None:
    """Write a series of smooth bodies with noise, as CT has it."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
    body = np.where(x**2 + y**2 < 0.7, 1060.0, 24.0)
    stack = builders.ct_series(folder, slices=slices, shape=SHAPE, step_mm=1.0)
    for k, frame in enumerate(stack.frames):
        dataset = dcmread(frame.path)
        dataset.PixelData = (body + k % 7 + rng.normal(0, 12, SHAPE)).clip(0, 4095).astype("<u2").tobytes()
        if compressed:
            dataset.compress(JPEGLSLossless, generate_instance_uid=False)
        dataset.save_as(frame.path)


def stack_of(folder: Path) -> Stack:
    """Return the one stack in a folder, as the node makes it."""
    (stack,) = split(builders.STUDY, builders.SERIES, [(str(path), "") for path in dicom_files(folder)]).stacks
    return stack


def load_ours(folder: Path) -> None:
    """From files to a Volume."""
    read_volume(stack_of(folder))


def load_simpleitk(folder: Path) -> None:
    """From files to an Image."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    reader.Execute()


def load_highdicom(folder: Path) -> None:
    """From files to a Volume."""
    hd.get_volume_from_series(datasets(folder))


def datasets(folder: Path) -> list[FileDataset]:
    """Read every file of a series."""
    return [dcmread(path) for path in sorted(folder.glob("*.dcm"))]


def label_map(slices: int, segments: int) -> NDArray[np.uint8]:
    """Return (slices, rows, columns) with balls of every label on nearly every slice."""
    labels = np.zeros((slices, *SHAPE), np.uint8)
    y, x = np.mgrid[:96, :96] - 48
    for label in range(1, segments + 1):
        row, column = divmod(label - 1, 5)
        for k in range(slices):
            disc = x**2 + y**2 < (20 + 25 * np.sin(np.pi * k / slices)) ** 2
            labels[k, row * 100 + 5 : row * 100 + 101, column * 100 + 5 : column * 100 + 101][disc] = label
    return labels


def encode_ours(folders: tuple[Path, Path], labels: NDArray[np.uint8], segments: int, *, proved: bool) -> None:
    """From a label map to a SEG file, read back and proved or not; `folders` are of the series and for the result."""
    stack, one = stack_of(folders[0]), builders.organs((3, 20, 24)).segments[0]
    found = Segmentation(labels, tuple(builders.renamed(one, label) for label in range(1, segments + 1)))
    request = builders.request(stack, found, outputs=("SEG",))
    if proved:
        encode(request, folders[1])
        return
    sources = read_sources(stack)
    made = encode_segmentation(request, found, 0, sources).made
    dataset, _ = finished(made, request, "SEG", sources)
    write(dataset, made.tail(), folders[1] / "seg.dcm")


def encode_highdicom(folders: tuple[Path, Path], labels: NDArray[np.uint8], segments: int) -> None:
    """From a label map to a SEG file."""
    organ, liver = hd.sr.CodedConcept("123037004", "SCT", "Organ"), hd.sr.CodedConcept("10200004", "SCT", "Liver")
    family = hd.sr.CodedConcept("123110", "DCM", "Artificial Intelligence")
    algorithm = hd.AlgorithmIdentificationSequence("benchmark", family, "1")
    described = [
        hd.seg.SegmentDescription(number, f"segment {number}", organ, liver, "AUTOMATIC", algorithm)
        for number in range(1, segments + 1)
    ]
    made = hd.seg.Segmentation(
        datasets(folders[0]), labels, "BINARY", described, generate_uid(), 1, generate_uid(), 1, "us", "us", "1", "1"
    )
    made.save_as(folders[1] / "seg.dcm")


def _loading(load: Callable[[Path], None], folder: Path, _segments: int) -> float:
    return _timed(lambda: load(folder))


def _encoding(encode_to: Callable[..., None], folder: Path, segments: int, **how: bool) -> float:
    """Return seconds; to make the label map is not counted."""
    labels = label_map(len(list(folder.glob("*.dcm"))), segments)
    with tempfile.TemporaryDirectory() as out:
        return _timed(lambda: encode_to((folder, Path(out)), labels, segments, **how))


MEASURED: dict[str, Callable[[Path, int], float]] = {
    "load ours": functools.partial(_loading, load_ours),
    "load SimpleITK": functools.partial(_loading, load_simpleitk),
    "load highdicom": functools.partial(_loading, load_highdicom),
    "encode ours": functools.partial(_encoding, encode_ours, proved=False),
    "encode ours and prove": functools.partial(_encoding, encode_ours, proved=True),
    "encode highdicom": functools.partial(_encoding, encode_highdicom),
}


def _timed(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=600)
    parser.add_argument("--only", default="", help="what begins so, e.g. encode")
    parser.add_argument("--measure", nargs=3, metavar=("WHAT", "FOLDER", "SEGMENTS"), help="one of them, as JSON")
    given = parser.parse_args()
    if given.measure:
        what, folder, segments = given.measure
        seconds = MEASURED[what](Path(folder), int(segments))
        sys.stdout.write(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6]))
    else:
        sys.stdout.write(
            f"{given.slices} slices of {SHAPE}\n\n| what | seconds | of ours | peak GB |\n|---|---|---|---|\n"
        )
        with tempfile.TemporaryDirectory() as folder:
            for row in rows(Path(folder), given.slices, given.only):
                sys.stdout.write(row + "\n")
                sys.stdout.flush()


def rows(folder: Path, slices: int, only: str) -> Iterator[str]:
    """Measure everything, each in its own process; ours comes first in each group."""
    plain, compressed = folder / "plain", folder / "JPEG-LS"
    series(plain, slices, compressed=False)
    if "load".startswith(only):
        series(compressed, slices, compressed=True)
    loads = ("load ours", "load SimpleITK", "load highdicom")
    encodes = ("encode ours", "encode ours and prove", "encode highdicom")
    groups = [(loads, plain, 0), (loads, compressed, 0), (encodes, plain, 1), (encodes, plain, 20)]
    for names, source, segments in groups:
        ours = 0.0
        for name in (one for one in names if one.startswith(only)):
            seconds, peak_gb = _in_its_own_process(name, source, segments)
            ours = ours or seconds
            what = f"{name}, {f'{segments} segments' if segments else source.name}"
            yield f"| {what} | {seconds:.2f} | {seconds / ours:.2f} | {peak_gb:.2f} |"


def _in_its_own_process(what: str, source: Path, segments: int) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.results", "--measure", what, str(source), str(segments)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603  # our own command
    seconds, peak_gb = json.loads(said)
    return seconds, peak_gb


if __name__ == "__main__":
    main()
