"""A sheet of shapes in pixels from its upper left corner, written out as SVG or PNG."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

from lamo_core.errors import MissingError, UsageError
from lamo_core.files import write_bytes
from lamo_core.install_hint import hint
from lamo_core.untrusted.plain_text import plain_line, without_obeyed

INK, MUTED, GRID, PAPER = "#20262c", "#626b74", "#e3e5e8", "#ffffff"
FORMATS = (".svg", ".png")

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]
Mark = Literal["circle", "square", "triangle", "diamond", "cross", "wedge"]
MARKS: tuple[Mark, ...] = ("circle", "square", "triangle", "diamond", "cross", "wedge")

_SCALE = 2
_OVERSAMPLING = 2
"""A PNG is drawn this much larger than it is kept, for smooth edges."""


@dataclass(frozen=True)
class Line:
    """A line through points."""

    points: tuple[Point, ...]
    colour: str
    thick: float = 2.0
    dashed: bool = False


@dataclass(frozen=True)
class Area:
    """A filled polygon."""

    points: tuple[Point, ...]
    colour: str
    opacity: float = 1.0


@dataclass(frozen=True)
class Word:
    """One line of text; `y` is its base line."""

    x: float
    y: float
    text: str
    colour: str = INK
    anchor: Anchor = "start"
    size: float = 13
    bold: bool = False
    turned: bool = False
    """Whether it reads from bottom to top."""

    def __post_init__(self) -> None:
        # neither letters that nobody sees nor those that no picture format takes
        object.__setattr__(self, "text", without_obeyed(self.text, lambda letter: ""))


Shape = Line | Area | Word


@dataclass
class Sheet:
    """Shapes in the order in which they are painted."""

    width: int
    height: int
    title: str = ""
    """For readers of the file who do not see it."""
    shapes: list[Shape] = field(default_factory=list)

    def line(self, points: Sequence[Point], colour: str, thick: float = 2.0, dashed: bool = False) -> None:
        """Add a line; fewer than two points draw nothing."""
        if len(points) > 1:
            self.shapes.append(Line(tuple(points), colour, thick, dashed))

    def area(self, points: Sequence[Point], colour: str, opacity: float = 1.0) -> None:
        """Add a filled polygon; fewer than three points draw nothing."""
        if len(points) > 2:
            self.shapes.append(Area(tuple(points), colour, opacity))

    def box(self, left: float, top: float, width: float, height: float, colour: str, opacity: float = 1.0) -> None:
        """Add a filled rectangle."""
        corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
        self.area(corners, colour, opacity)

    def word(self, x: float, y: float, text: str, colour: str = INK, **rest: Any) -> None:
        """Add a line of text; `rest` are further fields of `Word`."""
        self.shapes.append(Word(x, y, text, colour, **rest))

    def mark(self, x: float, y: float, kind: Mark, colour: str, size: float = 4.5, hollow: bool = False) -> None:
        """Add a marker; a hollow one has paper inside."""
        outline = _outline(x, y, kind, size)
        if kind == "cross":
            for start, end in zip(outline[::2], outline[1::2], strict=True):
                self.line([start, end], colour, 2.2)
            return
        self.area(outline, PAPER if hollow else colour)
        self.line([*outline, outline[0]], colour if hollow else PAPER, 1.6 if hollow else 0.8)


def _outline(x: float, y: float, kind: Mark, size: float) -> list[Point]:
    if kind == "circle":
        turns = [math.pi * turn / 12 for turn in range(24)]
        return [(x + size * math.cos(turn), y + size * math.sin(turn)) for turn in turns]
    corners: dict[Mark, list[Point]] = {
        "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        "triangle": [(0, -1.15), (1.05, 0.8), (-1.05, 0.8)],
        "diamond": [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)],
        "cross": [(-0.85, -0.85), (0.85, 0.85), (-0.85, 0.85), (0.85, -0.85)],
        "wedge": [(0, 1.15), (1.05, -0.8), (-1.05, -0.8)],
    }
    return [(x + size * right, y + size * down) for right, down in corners[kind]]


def save_sheet(sheet: Sheet, path: Path) -> None:
    """Write a sheet; the ending decides the format.

    Raises `UsageError` for another ending, `MissingError` for PNG without pillow, `StorageError`.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise UsageError(f"cannot write {path.name}: end the name in .svg or .png")
    write_bytes(path, svg_text(sheet).encode() if ending == ".svg" else png_bytes(sheet), "another folder")


def svg_text(sheet: Sheet) -> str:
    """Return a sheet as SVG."""
    size = f'viewBox="0 0 {sheet.width} {sheet.height}" width="{sheet.width}" height="{sheet.height}"'
    fonts = 'font-family="Inter, ui-sans-serif, Helvetica, Arial, sans-serif"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {fonts} role="img">'
    parts = [head, f"<title>{escape(plain_line(sheet.title))}</title>"] if sheet.title else [head]
    parts.append(f'<rect width="{sheet.width}" height="{sheet.height}" fill="{PAPER}"/>')
    parts += [_svg_shape(shape) for shape in sheet.shapes]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _svg_shape(shape: Shape) -> str:
    if isinstance(shape, Area):
        opacity = f' fill-opacity="{shape.opacity:g}"' if shape.opacity < 1 else ""
        return f'<polygon points="{_joined(shape.points)}" fill="{shape.colour}"{opacity}/>'
    if isinstance(shape, Line):
        dash = ' stroke-dasharray="5 4"' if shape.dashed else ""
        return (
            f'<polyline points="{_joined(shape.points)}" fill="none" stroke="{shape.colour}" '
            f'stroke-width="{shape.thick:g}" stroke-linejoin="round" stroke-linecap="round"{dash}/>'
        )
    turn = f' transform="rotate(-90 {shape.x:.1f} {shape.y:.1f})"' if shape.turned else ""
    weight = ' font-weight="600"' if shape.bold else ""
    shown = escape(shape.text)
    place = f'x="{shape.x:.1f}" y="{shape.y:.1f}" text-anchor="{shape.anchor}"'
    return f'<text {place} fill="{shape.colour}" font-size="{shape.size:g}"{weight}{turn}>{shown}</text>'


def _joined(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def png_bytes(sheet: Sheet) -> bytes:
    """Return a sheet as PNG at twice its size; raises `MissingError` without pillow."""
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise MissingError(f"PNG needs pillow; take .svg, or install it with: {hint('video')}") from error
    scale = _SCALE * _OVERSAMPLING
    image = Image.new("RGB", (sheet.width * scale, sheet.height * scale), PAPER)
    pen = ImageDraw.Draw(image, "RGBA")
    for shape in sheet.shapes:
        if isinstance(shape, Area):
            points = [(x * scale, y * scale) for x, y in shape.points]
            pen.polygon(points, fill=(*_rgb(shape.colour), round(255 * shape.opacity)))
        elif isinstance(shape, Line):
            _png_line(pen, shape, scale)
        else:
            _png_word(image, pen, shape, scale)
    small = image.resize((sheet.width * _SCALE, sheet.height * _SCALE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "PNG", optimize=True)
    return out.getvalue()


def _png_line(pen: Any, shape: Line, scale: int) -> None:
    points = [(x * scale, y * scale) for x, y in shape.points]
    for piece in _dashes(points, 5 * scale, 4 * scale) if shape.dashed else [points]:
        pen.line(piece, fill=shape.colour, width=max(1, round(shape.thick * scale)), joint="curve")


def _dashes(points: Sequence[Point], on: float, off: float) -> list[list[Point]]:
    """Cut a line into dashes of length `on` with gaps of length `off`."""
    pieces: list[list[Point]] = []
    walked = 0.0
    for (x, y), (u, v) in itertools.pairwise(points):
        length = math.hypot(u - x, v - y)
        place = 0.0
        while place < length:
            phase = walked % (on + off)
            step = min(length - place, (on if phase < on else on + off) - phase)
            if phase < on:
                ends = [((x + (u - x) * at / length), (y + (v - y) * at / length)) for at in (place, place + step)]
                pieces.append(ends)
            place, walked = place + step, walked + step
            if step <= 0:
                break
    return pieces


def _png_word(image: Any, pen: Any, shape: Word, scale: int) -> None:
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(shape.size * scale)
    anchor = {"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor]
    stroke = round(0.25 * scale) if shape.bold else 0
    if not shape.turned:
        at = (shape.x * scale, shape.y * scale)
        pen.text(at, shape.text, fill=shape.colour, font=font, anchor=anchor, stroke_width=stroke)
        return
    left, top, right, bottom = font.getbbox(shape.text, anchor="ls")
    wide, tall = round(right - left), round(bottom - top)
    label = Image.new("RGBA", (wide, tall), (*_rgb(PAPER), 0))
    ImageDraw.Draw(label).text((-left, -top), shape.text, fill=shape.colour, font=font, anchor="ls")
    shift = {"start": wide, "middle": wide // 2, "end": 0}[shape.anchor]
    label = label.rotate(90, expand=True)
    image.paste(label, (round(shape.x * scale) + round(top), round(shape.y * scale) - shift), label)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
