"""Digits as strokes of a pen, and a hand that draws them with the mouse."""

from tests.experiments.explorer.opened import Opened

Stroke = list[tuple[int, int]]

# The digits 0 to 9 as a hand draws them on a sheet of 280 x 280, corner after corner; the pen is lifted at each slash.
DIGITS: list[list[Stroke]] = [
    [[(int(x), int(y)) for x, y in (corner.split(",") for corner in stroke.split())] for stroke in digit.split("/")]
    for digit in """
150,50 115,70 95,115 92,165 110,210 145,225 180,205 195,160 190,105 172,62 150,50
158,45 150,105 140,165 130,230
92,95 105,62 140,50 172,65 178,100 155,145 118,190 85,222 135,215 195,222
95,62 140,48 178,70 172,108 130,130 175,145 190,185 160,220 115,228 82,210
100,55 88,105 90,140 130,148 180,138 / 188,50 180,110 172,170 168,232
185,52 120,55 110,95 105,125 145,118 180,140 182,185 150,220 105,225 82,205
165,45 130,85 105,135 95,185 115,222 155,225 180,195 165,160 130,160 102,188
88,75 130,65 188,60 170,110 148,165 130,232
180,70 145,48 108,65 110,100 150,130 182,165 178,210 140,230 105,210 110,170 150,132 185,95 180,70
180,80 150,52 112,65 98,105 120,135 160,125 182,85 180,130 172,180 160,232
""".strip().splitlines()
]


def draw(opened: Opened, strokes: list[Stroke]) -> None:
    """On the pad as it lies on the screen."""
    opened.page.click("#clear")
    opened.page.locator("#pad").scroll_into_view_if_needed()
    box = opened.page.locator("#pad").bounding_box()
    assert box is not None
    mouse = opened.page.mouse
    for stroke in strokes:
        places = [(box["x"] + x * box["width"] / 280, box["y"] + y * box["height"] / 280) for x, y in stroke]
        mouse.move(*places[0])
        mouse.down()
        for place in places[1:]:
            mouse.move(*place, steps=2)
        mouse.up()
    opened.ask("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")


def strokes_on(opened: Opened) -> list[list[tuple[float, float]]]:
    """What the page has of them."""
    return [[(place["x"], place["y"]) for place in stroke] for stroke in opened.ask("explorer.state.strokes")]
