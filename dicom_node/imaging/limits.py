"""How many pixels are decoded: a header of a few bytes can ask for more memory than there is."""

from __future__ import annotations

import dataclasses
import math
import time

from dicom_node.errors import ObjectError

_MEGA = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class PixelLimits:
    """The most pixels that are decoded; samples of one pixel count once."""

    frame_megapixels: float = math.inf  # Rows x Columns
    stack_megapixels: float = math.inf  # Rows x Columns x frames that are read
    seconds: float = math.inf  # in which a stack is read; looked at after each frame
    until: float = math.inf  # of the monotonic clock: when that time is over for the stack that is being read

    def begin(self) -> PixelLimits:
        """Return the same limits for a stack that is read from now on."""
        return dataclasses.replace(self, until=time.monotonic() + self.seconds)

    def refuse_late(self, uid: str) -> None:
        """Refuse an object whose stack has taken too long to read.

        Raises:
            ObjectError: naming the SOP Instance and the limit.
        """
        if time.monotonic() > self.until:
            raise ObjectError(uid, f"its stack's pixels were not read within decode_timeout_s = {self.seconds:g}")

    def refuse(self, uid: str, rows: int, columns: int, frames: int) -> None:
        """Refuse an object, before anything of it is decoded, whose frame or stack is too large.

        Raises:
            ObjectError: naming the SOP Instance, its size and the limit.
        """
        size = f"{rows} x {columns} pixels"
        if rows * columns > self.frame_megapixels * _MEGA:
            raise ObjectError(
                uid, f"Rows x Columns are {size}, more than max_frame_megapixels = {self.frame_megapixels:g}"
            )
        if rows * columns * frames > self.stack_megapixels * _MEGA:
            raise ObjectError(
                uid,
                f"its stack has {frames} frames of {size}, more than max_stack_megapixels = {self.stack_megapixels:g}",
            )


NO_LIMITS = PixelLimits()
"""For objects that were decoded within the limits before."""
