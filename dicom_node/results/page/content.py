"""What a page says and shows, in the peer's language, before anything is laid out."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from dicom_node.config import Language
from dicom_node.findings import Box, Classification, Detection, Measurement, Remark, Segment, Segmentation
from dicom_node.results.concepts import NO_UNITS
from dicom_node.results.digits import write_for_reading
from dicom_node.results.groups import found_boxes, found_segments
from dicom_node.results.outlines import BOX_COLOUR, Drawn, drawn
from dicom_node.results.page.header import compressed_with_loss, identity, made_on, picture_name, series
from dicom_node.results.page.typeface import drawable
from dicom_node.results.page.words import say, translate
from dicom_node.results.provenance import MANUFACTURER, node_version
from dicom_node.results.request import Request
from dicom_node.results.seg import present
from dicom_node.results.sources import Sources

MOST_PICTURES: Final = 4
RESEARCH: Final = "AI, research use, not for diagnosis"
Colour: TypeAlias = tuple[int, int, int]
"""sRGB 0..255."""

_UNITS: Final = {
    **{"mm2": "mm²", "cm2": "cm²", "cm3": "cm³", "[hnsf'U]": "HU", "{pixels}": "pixels"},
    **{"1": "", "{ratio}": ""},
}
"""UCUM code -> what a person reads; another code stands for itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """One source frame, and what is outlined on it."""

    frame: int  # index in the stack
    name: str  # e.g. "Image 45"
    outlined: tuple[Drawn, ...]
    legend: tuple[tuple[str, Colour], ...]  # names in the page's language


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One finding, and its numbers with their units."""

    name: str
    colour: Colour | None
    values: tuple[tuple[str, str], ...]  # label, text


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """A heading with sentences."""

    heading: str
    lines: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """All of a page, in the order of reading."""

    language: Language
    title: str
    research: str
    identity: tuple[str, ...]  # what of the patient and study the site wants to be shown
    series: tuple[str, ...]
    pictures: tuple[Picture, ...]
    findings: str  # the heading of the rows, "" where there are none
    rows: tuple[Row, ...]
    sections: tuple[Section, ...]
    made_by: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """Every text but the patient's, one line each."""
        rows = (f"{row.name}: {'; '.join(' '.join(filter(None, one)) for one in row.values)}" for row in self.rows)
        told = (line for section in self.sections for line in (section.heading, *section.lines))
        shown = (f"{one.name}: {', '.join(name for name, _ in one.legend)}" for one in self.pictures)
        texts = (self.research, self.title, *self.series, *shown, self.findings, *rows, *told, *self.made_by)
        return tuple(filter(None, texts))


def page_content(request: Request, sources: Sources) -> Content:
    """Return the page of a run that was done."""
    language = request.encoding.page_language
    places = drawn(request)
    pictures = _pictures(request, sources, places)
    rows = tuple(_rows(request, sources, [one.frame for one in pictures]))
    has_findings = bool(places or request.findings.of(Classification) or request.findings.of(Measurement))
    lines = () if has_findings else (say(language, "Nothing found"),)
    sections = (
        Section(say(language, "Findings"), lines),
        Section(say(language, "Not analysed"), tuple(_not_analysed(request, sources))),
        Section(say(language, "Remarks"), tuple(_remarks(request, sources, places, pictures))),
    )
    return _content(request, sources, pictures=pictures, rows=rows, sections=sections)


def refused_content(request: Request, sources: Sources, reason: str) -> Content:
    """Return the page of a run that was not made, or whose findings are not delivered."""
    language = request.encoding.page_language
    was_run = reason.lower().startswith("not delivered")
    heading = say(language, "Not delivered" if was_run else "Not analysed")
    return _content(request, sources, sections=(Section(heading, (_told(language, reason),)),))


def _content(
    request: Request,
    sources: Sources,
    *,
    sections: Sequence[Section],
    pictures: tuple[Picture, ...] = (),
    rows: tuple[Row, ...] = (),
) -> Content:
    language, found = request.encoding.page_language, request.findings
    model = say(language, "Model {}, version {}", found.pipeline, found.version)
    weights = (say(language, "Weights {}", ", ".join(found.weights)),) if found.weights else ()
    node = f"{MANUFACTURER} {node_version()}"
    return Content(
        language=language,
        title=_told(language, request.title),
        research=say(language, RESEARCH),
        identity=tuple(map(_plain, identity(request.encoding, sources))),
        series=tuple(map(_plain, series(request, sources))),
        pictures=pictures,
        findings=say(language, "Findings") if rows else "",
        rows=rows,
        sections=tuple(one for one in sections if one.lines),
        made_by=(*map(_plain, (model, *weights)), node, say(language, "Made on {}", made_on(request, sources))),
    )


def _plain(text: str) -> str:
    """Return a text in one line, its letters composed (Hangul syllables instead of their parts), as it can be drawn."""
    return drawable(" ".join(unicodedata.normalize("NFC", text).split()))


def _pictures(request: Request, sources: Sources, places: Sequence[Drawn]) -> tuple[Picture, ...]:
    """Return the key pictures in the stack's order; without anything drawn, the middle of the stack."""
    by_frame: defaultdict[int, list[Drawn]] = defaultdict(list)
    for one in places:
        by_frame[one.frame].append(one)
    kept = _key_frames(by_frame, is_volume=sources.planes is not None) or [len(sources.stack.frames) // 2]
    return tuple(_picture(request, sources, k, by_frame.get(k, [])) for k in sorted(kept))


def _key_frames(by_frame: dict[int, list[Drawn]], *, is_volume: bool) -> list[int]:
    """Return a few frames: of a volume one for each finding's largest extent, of pictures those that show most.

    A frame that is there for one finding serves all whose extent there is nearly as large as anywhere.
    """
    if not is_volume:
        return sorted(by_frame, key=lambda k: -sum(one.pixels for one in by_frame[k]))[:MOST_PICTURES]
    largest: dict[str, Drawn] = {}
    for one in (one for these in by_frame.values() for one in these):
        if one.name not in largest or one.pixels > largest[one.name].pixels:
            largest[one.name] = one
    kept: list[int] = []
    for best in sorted(largest.values(), key=lambda one: one.pixels):  # the small ones first: they have fewer frames
        here = (one for k in kept for one in by_frame[k] if one.name == best.name)
        if not any(one.pixels >= _NEARLY * best.pixels for one in here):
            kept.append(best.frame)
    return kept[:MOST_PICTURES]


_NEARLY: Final = 0.9  # of the largest area


def _picture(request: Request, sources: Sources, k: int, outlined: Sequence[Drawn]) -> Picture:
    language = request.encoding.page_language
    legend = tuple((_name(language, one.name), one.colour) for one in outlined)
    return Picture(k, picture_name(language, sources, k), tuple(outlined), legend)


def _name(language: Language, name: str) -> str:
    """Return a finding's name in a language; a box's has its number behind it."""
    stem, _, number = name.rpartition(" ")
    if stem and number.isdigit():
        return f"{_told(language, stem)} {number}"
    return _told(language, name)


def _told(language: Language, text: str) -> str:
    """Return a pipeline's text in a language, as far as the tables have it, beginning with a capital."""
    told = _plain(translate(language, text))
    return told[:1].upper() + told[1:]


def _rows(request: Request, sources: Sources, pictured: Sequence[int]) -> Iterator[Row]:
    language, measured = request.encoding.page_language, request.findings.of(Measurement)
    for found in request.findings.of(Classification):
        yield _answer(language, found)
    segments = found_segments(request)
    for segment in segments:
        mine = [one for one in measured if one.of == segment.name]
        whole = [one for one in mine if one.frame is None]
        if whole or not mine:
            yield Row(_name(language, segment.name), segment.colour, _values(language, whole))
        for k in pictured:
            if own := [one for one in mine if one.frame == k]:
                where = "" if len(sources.stack.frames) == 1 else f", {picture_name(language, sources, k)}"
                yield Row(f"{_name(language, segment.name)}{where}", segment.colour, _values(language, own))
    for segment in _absent(request):
        yield Row(_name(language, segment.name), None, ((say(language, "Not found"), ""),))
    for number, box in enumerate(found_boxes(request), 1):
        yield _box(request, box, number)
    if loose := [one for one in measured if one.of not in {segment.name for segment in segments}]:
        yield Row(say(language, "Whole image"), None, _values(language, loose))


def _absent(request: Request) -> Iterator[Segment]:
    """Yield the segments that mark no pixel."""
    for found in request.findings.of(Segmentation):
        here = present(found)
        yield from (one for one in found.segments if one not in here)


def _answer(language: Language, found: Classification) -> Row:
    values = [
        (say(language, "Answer"), _told(language, found.answer.meaning)),
        (say(language, "Probability"), _number(language, Measurement(found.concept, found.probability, NO_UNITS))),
        (say(language, "Header"), _plain(found.claim)),
    ]
    return Row(_told(language, found.concept.meaning), None, tuple(one for one in values if one[1]))


def _box(request: Request, box: Box, number: int) -> Row:
    language = request.encoding.page_language
    concepts = [one.concept for one in request.findings.of(Detection) if box in one.boxes]
    kind = [(say(language, "Finding"), _told(language, one.meaning)) for one in concepts[:1]]
    sure = say(language, "Probability"), _number(language, Measurement(box.code, box.probability, NO_UNITS))
    return Row(_name(language, f"{box.name} {number}"), BOX_COLOUR, (*kind, sure))


def _values(language: Language, measured: Sequence[Measurement]) -> tuple[tuple[str, str], ...]:
    told = tuple((_told(language, one.concept.meaning), _number(language, one)) for one in measured)
    return told or ((say(language, "No measurement"), ""),)


def _number(language: Language, found: Measurement) -> str:
    """Return a number with the digits that the SR states, and its unit."""
    text = write_for_reading(found.value, found.unit)
    unit = _UNITS.get(found.unit.value, found.unit.value)
    return f"{text.replace('.', ',') if language == 'de' else text} {translate(language, unit)}".strip()


def _not_analysed(request: Request, sources: Sources) -> Iterator[str]:
    language, looked_at = request.encoding.page_language, request.findings.frames
    of_film = int(sources.first.get("NumberOfFrames") or 1)
    if looked_at and len(looked_at) < of_film:
        text = "{} of {} frames, as only a sample of the film is looked at."
        yield say(language, text, of_film - len(looked_at), of_film)
    yield say(language, "The rest of the study: this page is about one series only.")


def _remarks(request: Request, sources: Sources, places: Sequence[Drawn], pictures: Sequence[Picture]) -> Iterator[str]:
    language, shown = request.encoding.page_language, {one.frame for one in pictures}
    further = {one.frame for one in places} - shown
    if further and sources.planes is None:
        yield say(language, "Further images with findings, without a picture here: {}.", len(further))
    yield from (_told(language, one.text) for one in request.findings.of(Remark))
    yield from (_plain(one.detail) for one in request.findings.of(Classification) if one.detail)
    yield from (say(language, "Left and right are in doubt: {}", _plain(doubt)) for doubt in request.doubts)
    if compressed_with_loss(sources):
        yield say(language, "The images had been compressed with loss before they were analysed.")
    if request.is_again:
        yield say(language, "This page replaces that of an earlier run.")
