"""A matplotlib figure that shows itself; importing this file imports matplotlib."""

from __future__ import annotations

import base64
import io
import struct
from typing import Any

from matplotlib.figure import Figure

#: Pixels of the image for each one on the page, so that it is crisp on a screen of today.
PIXELS = 2


class ShownFigure(Figure):
    """A figure that a notebook shows as an image when it is a cell's last value, whatever backend is chosen.

    pyplot does not know it, so it is shown once. Where ``%matplotlib inline`` has told IPython how to draw figures,
    that format and size are used.

    Parameters
    ----------
    tells
        What it shows, in a few words, for where no image can be.

    Examples
    --------
    >>> ShownFigure("speed-ups of get")
    <Figure: speed-ups of get>
    """

    def __init__(self, tells: str, **options: Any) -> None:
        super().__init__(**options)
        self.tells = tells

    def __repr__(self) -> str:
        return f"<Figure: {self.tells}>"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the image, and the size at which to show it."""
        png = self._png()
        width, height = struct.unpack(">II", png[16:24])
        shown = {"width": width // PIXELS, "height": height // PIXELS}
        return {"image/png": base64.b64encode(png).decode()}, {"image/png": shown}

    def _png(self) -> bytes:
        image = io.BytesIO()
        # "tight" makes room for a label that sticks out.
        self.savefig(
            image,
            format="png",
            dpi=PIXELS * self.dpi,
            bbox_inches="tight",
            facecolor=self.get_facecolor(),
            transparent=False,
        )
        return image.getvalue()
