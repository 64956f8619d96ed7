"""What the pictures of all scripts share: colours, rows of pixels as pictures, files written whole."""

import importlib
import io
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from jaxnet.files import write_whole

if TYPE_CHECKING:
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
else:

    class _Pyplot:
        """matplotlib.pyplot, imported when it is first used: that takes half a second."""

        def __getattr__(self, name: str) -> Any:
            return getattr(importlib.import_module("matplotlib.pyplot"), name)

    plt = _Pyplot()


STYLES = [("#000000", "-"), ("#0072b2", "--"), ("#009e73", "-."), ("#d55e00", "-"), ("#cc79a7", ":"), ("#56b4e9", "--")]
"""Colours that the colour-blind tell apart (Okabe and Ito), each with a line style for those who see none."""


def picture(pixels: Any) -> np.ndarray:
    """One row of pixels as a picture: a square in grey or in colour where the number allows, else one line."""
    pixels = np.asarray(pixels)
    for channels in (1, 3):
        side = round((len(pixels) / channels) ** 0.5)
        if side * side * channels == len(pixels):
            return pixels.reshape((side, side, 3) if channels == 3 else (side, side))
    return pixels.reshape(1, -1)


def pattern(axes: "Axes", numbers: Any, scale: float) -> "AxesImage":
    """One number for each pixel, such as a neuron's weights: blue is positive, red negative, white zero."""
    square = picture(numbers)
    return axes.imshow(square.mean(axis=2) if square.ndim == 3 else square, cmap="RdBu", vmin=-scale, vmax=scale)


def strongest(numbers: Any) -> float:
    """A scale for `pattern`: nearly the largest size among the numbers, for a few strong ones would pale all others."""
    return float(np.quantile(np.abs(np.asarray(numbers, float)), 0.995)) or 1.0


def band(axes: "Axes", along: Any, curves: np.ndarray, style: str, *, color: str, **line: Any) -> None:
    """Curves (points, networks): their mean as a line, the lowest and highest of them as a band."""
    axes.plot(along, curves.mean(axis=1), style, color=color, **line)
    axes.fill_between(along, curves.min(axis=1), curves.max(axis=1), color=color, alpha=0.2, linewidth=0)


def plain_logarithms(axis: "Axis") -> None:
    """Numbers along a logarithmic axis as 0.3, not with a power of ten, which takes a tenth of a second to set."""
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    axis.set_major_formatter(Plain())
    axis.set_minor_formatter(Plain())


def tiles(number: int, title: str, below: float = 0.05) -> "tuple[Figure, list[Axes]]":
    """A figure of so many small pictures, without frames or ticks, with room for a title of each and inches below."""
    columns = min(8 if number > 25 else 5 if number == 25 else 4, number)
    rows = -(-number // columns)
    width, height = max(5.0, 1.5 * columns), 1.75 * rows + 0.6 + below  # inches; the title is as wide as three
    # Places by arithmetic, and no ticks, also unseen ones: with both drawing takes a third of the time.
    figure, axes = plt.subplots(
        rows, columns, figsize=(width, height), squeeze=False, subplot_kw={"xticks": [], "yticks": []}
    )
    edge, above = 0.05, 0.6
    figure.subplots_adjust(
        left=edge / width, right=1 - edge / width, bottom=below / height, top=1 - above / height, wspace=0.1, hspace=0.2
    )
    figure.suptitle(title, fontsize=10, y=1 - 0.1 / height)
    for each in axes.flat:
        each.axis("off")
    return figure, list(axes.flat)


def digits(images: Sequence[Any], titles: Sequence[str], title: str, path: Path) -> Path:
    """Writes a figure of images (bytes, a row of pixels each), with a few words above each."""
    figure, axes = tiles(len(images), title)
    for each, pixels, words in zip(axes, images, titles, strict=False):
        each.imshow(picture(pixels), cmap="gray_r", vmin=0, vmax=255)
        each.set_title(words, fontsize=9)
    return save_figure(figure, path)


def save_figure(figure: "Figure", path: Path) -> Path:
    """Writes a PNG, whole or not at all."""
    content = io.BytesIO()
    # This strategy takes half of the time that the default takes, for a tenth more bytes.
    figure.savefig(content, format="png", dpi=150, pil_kwargs={"compress_type": zlib.Z_RLE})
    plt.close(figure)
    return write_whole(path, content.getvalue())


def save_animation(
    figure: "Figure", show: Callable[[Any], None], frames: Iterable[Any], path: Path, seconds: float = 0.1
) -> Path:
    """Writes an endless GIF, whole or not at all: `show(frame)` changes the figure, frame after frame.

    Each frame stays for so many `seconds`, the last one ten times as long.
    """
    pictures = []
    for frame in frames:
        show(frame)
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=80)
        figure.set_layout_engine("none")  # that of the first frame stays: faster, and nothing jumps
        pictures.append(Image.open(content).convert("RGB"))
    plt.close(figure)
    # One palette for all, so that nothing flickers; this method keeps the colours of the smallest marks.
    colours = pictures[-1].quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    first, *others = (each.quantize(palette=colours, dither=Image.Dither.NONE) for each in pictures)
    durations = [round(1000 * seconds)] * len(others) + [round(10_000 * seconds)]
    content = io.BytesIO()
    first.save(content, format="GIF", save_all=True, append_images=others, duration=durations, loop=0)
    return write_whole(path, content.getvalue())
