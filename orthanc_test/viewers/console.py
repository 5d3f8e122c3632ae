"""What a viewer complains of: every error of its console and of its page, less those that do no harm."""

from __future__ import annotations

import re

from playwright.sync_api import ConsoleMessage, Page

HARMLESS = {
    r"undefined \(reading 'ImageOrientationPatient'\)": (
        'OHIF draws no SEG without an orientation, which a radiograph\'s has only with radiograph_seg = "oriented"; '
        "the picture stays"
    ),
    "Fractional segmentations are not yet supported": (
        "OHIF draws a FRACTIONAL SEG only where it says all or nothing (OHIF/Viewers#1346); the picture stays"
    ),
}
"""Patterns of errors, each with the reason why it does no harm."""


def listen(page: Page) -> list[str]:
    """Return a list that takes every harmful error of a page from now on."""
    problems: list[str] = []

    def note(text: str) -> None:
        if not any(re.search(pattern, text) for pattern in HARMLESS):
            problems.append(text)

    def note_message(message: ConsoleMessage) -> None:
        if message.type == "error":
            note(message.text)

    page.on("console", note_message)
    page.on("pageerror", lambda error: note(str(error)))
    return problems
