"""The scene of surfaces: formulas, slopes, ways downhill and sharpness, against jaxnet.calculus."""

import math
import random
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.common import surfaces
from jaxnet import calculus
from tests.experiments.explorer.opened import Opened

pytestmark = pytest.mark.long

SUM, PRODUCT, SIGN, POWER, VALUE = range(5)  # how tightly the last operation of a text binds

# The jets of a formula at some places.
JETS = """([formula, places]) => {
  const surface = explorer.surfaceOf(formula, { x: 0, y: 0, half: 2 });
  return surface.wrong ?? places.map(([x, y]) => [surface.height(x, y), ...surface.jet(x, y)]);
}"""


class Written:
    """A formula: its text, how tightly that binds, and the function by JAX that it stands for."""

    def __init__(self, text: str, binds: int, function: Callable[..., Any]):
        self.text, self.binds, self.function = text, binds, function

    def within(self, least: int) -> str:
        return self.text if self.binds >= least else f"({self.text})"


def written(rng: random.Random, depth: int) -> Written:
    """A random formula whose values are finite everywhere."""

    def spaced(sign: str) -> str:
        return rng.choice(["", " "]) + sign + rng.choice(["", " "])

    def called(name: str, u: Written, function: Callable[..., Any]) -> Written:
        return Written(f"{name}{rng.choice(['', ' '])}({u.text})", VALUE, lambda x, y: function(u.function(x, y)))

    if depth == 0 or rng.random() < 0.1:
        text, value = rng.choice(
            [("0.5", 0.5), ("2", 2.0), (".25", 0.25), ("15e-2", 0.15), ("pi", math.pi), ("e", math.e)]
        )
        constant = Written(text, VALUE, lambda x, y: value + 0 * x)
        return rng.choice(
            [constant, Written("x", VALUE, lambda x, y: x), Written("y", VALUE, lambda x, y: y)],
        )
    u, v = written(rng, depth - 1), written(rng, depth - 1)
    f, g = u.function, v.function
    bounded = called("tanh", u, jnp.tanh)
    positive = Written(f"1.5 + {u.within(VALUE)}^2", SUM, lambda x, y: 1.5 + f(x, y) ** 2)
    power, raised = rng.randrange(5), rng.choice(["^", "**", " ^ "])
    plus, minus, over = spaced("+"), spaced(rng.choice("-−")), spaced(rng.choice("/÷"))
    times = spaced(rng.choice("*·×"))
    return rng.choice(
        [
            Written(u.within(SUM) + plus + v.within(PRODUCT), SUM, lambda x, y: f(x, y) + g(x, y)),
            Written(u.within(SUM) + minus + v.within(PRODUCT), SUM, lambda x, y: f(x, y) - g(x, y)),
            Written(u.within(PRODUCT) + times + v.within(SIGN), PRODUCT, lambda x, y: f(x, y) * g(x, y)),
            Written(f"2({u.text}) ({v.text})", PRODUCT, lambda x, y: 2 * f(x, y) * g(x, y)),
            Written(
                f"{v.within(PRODUCT)}{over}({positive.text})", PRODUCT, lambda x, y: g(x, y) / (1.5 + f(x, y) ** 2)
            ),
            Written(minus + u.within(SIGN), SIGN, lambda x, y: -f(x, y)),
            Written(f"{u.within(VALUE)}{raised}{power}", POWER, lambda x, y: f(x, y) ** power),
            Written(
                f"({positive.text}){raised}{bounded.text}",
                POWER,
                lambda x, y: (1.5 + f(x, y) ** 2) ** jnp.tanh(f(x, y)),
            ),
            called("sin", u, jnp.sin),
            called("cos", u, jnp.cos),
            called("tan", bounded, jnp.tan),
            called("exp", bounded, jnp.exp),
            called(rng.choice(["ln", "log", "LN"]), positive, jnp.log),
            called("sqrt", positive, jnp.sqrt),
            called("abs", u, jnp.abs),
            bounded,
            called("sigmoid", u, jax.nn.sigmoid),
            Written(f"min({u.text}, {v.text})", VALUE, lambda x, y: jnp.minimum(f(x, y), g(x, y))),
            Written(f"max( {u.text},{v.text} )", VALUE, lambda x, y: jnp.maximum(f(x, y), g(x, y))),
        ]
    )


def by_jax(function: Callable[..., Any], places: np.ndarray) -> np.ndarray:
    """Height, gradient and Hessian at each place: those of jaxnet.calculus, but for the Hessian by its columns."""

    def f(point: jax.Array) -> jax.Array:
        return function(point[0], point[1])

    def each(point: jax.Array) -> jax.Array:
        along_x, along_y = (calculus.hessian_vector_product(f, point, v) for v in jnp.eye(2))
        return jnp.stack([f(point), *calculus.gradient(f, point), along_x[0], along_x[1], along_y[1]])

    return np.asarray(jax.vmap(each)(jnp.asarray(places)))


def assert_same_slopes(opened: Opened, seed: int, number: int) -> None:
    """Random formulas at random places, each to one part in a billion of the largest height or slope there."""
    rng = random.Random(seed)  # noqa: S311 (no secret)
    places = np.array([[rng.uniform(-2, 2), rng.uniform(-2, 2)] for _ in range(7)])
    tried = 0
    while tried < number:
        formula = written(rng, rng.randrange(1, 5))
        if len(formula.text) > 200:
            continue
        tried += 1
        found = opened.ask(JETS, [formula.text, places.tolist()])
        assert isinstance(found, list), (formula.text, found)
        found = np.array(found, float)
        with jax.enable_x64(True):
            expected = by_jax(formula.function, places)
        assert np.isfinite(expected).all(), formula.text
        scale = np.maximum(1, np.abs(expected).max(axis=1, keepdims=True))
        np.testing.assert_allclose(found[:, 1:] / scale, expected / scale, rtol=0, atol=1e-9, err_msg=formula.text)
        np.testing.assert_allclose(found[:, 0], found[:, 1], rtol=1e-12, err_msg=formula.text)


def test_slopes_of_random_formulas_agree_with_jaxnet(opened: Opened):
    assert_same_slopes(opened, seed=1, number=150)


READ = {  # at x = 3, y = 5
    "-x^2": -9,
    "2^3^2": 512,
    "2^-1": 0.5,
    "-2^-2": -0.25,
    "2**3": 8,
    "2x": 6,
    "3(x+1)": 12,
    "x y": 15,
    "xy": 15,
    "(x)(y)": 15,
    "x(y+1)": 18,
    "2x^2 y": 90,
    "sin(x)cos(y)": math.sin(3) * math.cos(5),
    "sin(x)^2": math.sin(3) ** 2,
    "2pi": 2 * math.pi,
    "2e": 2 * math.e,
    "2e1": 20,
    "1e-3": 0.001,
    ".5 + 1.": 1.5,
    "x² + y³": 134,
    "x²^2": 81,
    "7 − 2 − 1": 4,
    "24/4/2": 3,
    "24/4*2": 12,
    "x - -y": 8,
    "--x": 3,
    "+x": 3,
    "2*-x": -6,
    "e^-x^2": math.exp(-9),
    "EXP(X) ": math.exp(3),
    "max(x, y) - min(x, y)": 2,
    "((((x))))": 3,
    "π·x÷3": math.pi,
    "0^0": 1,
    "log(e^2)": 2,
    "sqrt(y^2 - x^2)": 4,
}

MISREAD = {
    "": ("empty", 0, ""),
    "   ": ("empty", 3, ""),
    "x +": ("value", 3, ""),
    "x + * y": ("value", 4, "*"),
    "()": ("value", 1, ")"),
    "(x + 1": ("close", 6, ""),
    "sin(x": ("close", 5, ""),
    "x + 1)": ("open", 5, ")"),
    "sin x": ("call", 4, "x"),
    "sin^2(x)": ("call", 3, "^"),
    "min x": ("callTwo", 4, "x"),
    "sin(x, y)": ("one", 5, ","),
    "min(x)": ("two", 5, ")"),
    "max(x, y, 1)": ("two", 8, ","),
    "0,5*x": ("comma", 1, ","),
    "(x, y)": ("comma", 2, ","),
    "x = 2": ("sign", 2, "="),
    "x + 🙂": ("sign", 4, "🙂"),
    "x + z": ("name", 4, "z"),
    "xsin(y)": ("name", 0, "xsin"),
    "x2": ("operator", 1, "2"),
    "x 2": ("operator", 2, "2"),
    "1.2.3": ("operator", 3, ".3"),
    "1/2x": ("afterDivision", 3, "x"),
    "1/2 x": ("afterDivision", 4, "x"),
    "e^2x": ("afterPower", 3, "x"),
    "x^2(y)": ("afterPower", 3, "("),
    "constructor": ("name", 0, "constructor"),
    "x" * 201: ("long", 200, "x"),
    "(" * 200: ("value", 200, ""),
}


def test_formulas_are_read_as_people_write_them(opened: Opened):
    found = {formula: opened.ask(JETS, [formula, [[3, 5]]]) for formula in READ}
    assert {formula: values[0][0] for formula, values in found.items()} == pytest.approx(READ, rel=1e-14)
    assert {formula: values[0][1] for formula, values in found.items()} == pytest.approx(READ, rel=1e-14)


def test_what_cannot_be_read_is_named_with_its_place(opened: Opened):
    for formula, (why, at, found) in MISREAD.items():
        wrong = opened.ask("(formula) => explorer.parse(formula).wrong", formula)
        assert (wrong["why"], wrong["at"], wrong["found"]) == (why, at, found), formula


def test_where_two_are_the_same_the_slope_lies_halfway_as_in_jax(opened: Opened):
    found = opened.ask(JETS, ["max(x, y) + abs(x - y)", [[1, 1]]])
    assert found[0] == [1, 1, 0.5, 0.5, 0, 0, 0]


@pytest.mark.parametrize("name", surfaces.CLASSICS)
def test_the_classic_surfaces_and_the_ways_down_them_are_those_of_the_scripts(opened: Opened, name: str):
    classic = surfaces.CLASSICS[name]
    page = opened.ask("(name) => explorer.SURFACES[name]", name)
    rates = {"bowl": 0.3, "valley": 0.09, "saddle": 0.05, "rosenbrock": 0.0015, "himmelblau": 0.012}
    home = page["home"]
    assert (home["x"] - home["half"], home["x"] + home["half"]) == classic.x_range
    assert (home["y"] - home["half"], home["y"] + home["half"]) == classic.y_range
    assert (page["start"]["x"], page["start"]["y"]) == classic.point

    def f(point: jax.Array) -> jax.Array:
        return classic.function(point[0], point[1])

    with jax.enable_x64(True):
        gradient = jax.jit(lambda point: calculus.gradient(f, point))
        path = [jnp.array(classic.point)]
        for _ in range(60):
            path.append(path[-1] - rates[name] * gradient(path[-1]))
        heights = [float(f(point)) for point in path]
        curvatures = [calculus.sharpness(f, path[i], jax.random.key(0)).value for i in (0, 10, 60)]
    found = opened.ask(
        """([name, rate]) => {
          const { SURFACES, surfaceOf, placeOn, rolled, curvatures } = explorer;
          const { formula, home, start } = SURFACES[name];
          const surface = surfaceOf(formula, home);
          const path = [placeOn(surface, start.x, start.y)];
          for (let i = 0; i < 60; i += 1) path.push(rolled(surface, path.at(-1), rate));
          const sharp = [0, 10, 60].map((i) => curvatures(surface, path[i]).sharpness);
          return [path.map(({ x, y }) => [x, y]), path.map(({ height }) => height), sharp];
        }""",
        [name, rates[name]],
    )
    np.testing.assert_allclose(found[0], np.array(path), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found[1], heights, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found[2], curvatures, rtol=1e-9)


def test_two_over_the_sharpness_is_the_largest_rate_that_rests(opened: Opened):
    """The valley's sharpness is 20 everywhere, so a tenth is the limit."""
    page, text = opened.page, opened.text
    fates = opened.ask(
        """() => {
          const { SURFACES, surfaceOf, placeOn, rolled, fateOf } = explorer;
          const surface = surfaceOf(SURFACES.valley.formula, SURFACES.valley.home);
          return [0.0995, 0.1005].map((rate) => {
            const path = [placeOn(surface, -1.7, -0.9)];
            while (fateOf(surface, path) === null) path.push(rolled(surface, path.at(-1), rate));
            return fateOf(surface, path);
          });
        }"""
    )
    assert fates == ["rest", "diverged"]
    page.select_option("#hill-surface", "valley")
    page.click("#hill-reveal")
    assert text("#said") == "Let the ball come to rest; then the sharpness of this place can be shown."
    opened.ask(
        "explorer.scenes.downhill.restore(new Map([['surface', 'valley'], ['rate', '0.095'], ['steps', '50000']]))"
    )
    page.locator("#downhill").scroll_into_view_if_needed()
    page.click("#hill-reveal")
    page.locator("#hill-answer", has_text="2 ÷ sharpness = 0.1000").wait_for()
    assert "is 20.00" in text("#hill-answer")
    assert text("#hill-rested") == "0.095"


def test_the_keyboard_moves_the_ball_and_its_slopes_are_told(opened: Opened):
    page, text, ask = opened.page, opened.text, opened.ask
    page.focus("#hill-ball")
    page.locator("#hill-dx", has_text="−3.00").wait_for()
    for key in ("Shift+ArrowRight", "ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    assert ask("explorer.scenes.downhill.choices().point") == "-1,0.45"
    assert text("#said") == "Ball at (−1.00, 0.450), height 1.20"
    found = [text(f"#hill-{name}") for name in ("height", "dx", "dy", "gradient", "steep")]
    assert found == ["1.20", "−2.00", "0.900", "(−2.00, 0.900)", "2.19"]
    assert "with y held at 0.450: 1.20 at the ball, and the slope is −2.00" in page.get_attribute(
        "#hill-along-x", "aria-label"
    )
    page.focus("#hill-step")
    page.keyboard.press("Enter")
    assert text("#said") == "Step 1: from height 1.20 down to 0.770."
    page.fill("#hill-rate", "0.9")
    page.keyboard.press("Escape")
    page.click("#hill-step")
    assert "across the bottom of its way, and yet down, from height 1.20 to 0.770" in text("#hill-note")
    page.fill("#hill-rate", "1,1")
    page.click("#hill-step")
    assert "too far. The height rose from 1.20 to 1.73" in text("#hill-note")
    page.fill("#hill-x", "far")
    assert "x is far; it must be a number between -1000000 and 1000000" in text("#hill-note")
    page.fill("#hill-rate", "0")
    page.click("#hill-step")
    assert "rate is 0; it must be a number between 0.000001 and 100" in text("#said")


def test_a_formula_that_is_wrong_is_told_and_the_last_good_one_stays(opened: Opened):
    page, text, ask = opened.page, opened.text, opened.ask
    page.fill("#hill-formula", "x^2 + 3*y^2")
    assert ask("document.querySelector('#hill-surface').value") == "own"
    page.locator("#hill-dy", has_text="6.00").wait_for()
    page.fill("#hill-formula", "x^2 + 3*z^2")
    page.keyboard.press("Enter")
    said = text("#hill-reads")
    assert said.startswith("At sign 9, “z”: this name is not known. Known are x, y, pi, e and sin,")
    assert said.endswith("The map still shows the last formula that was right.")
    assert text("#said") == said
    assert ask("explorer.scenes.downhill.choices().formula") == "x^2 + 3*y^2"
    assert text("#hill-dy") == "6.00"
    page.fill("#hill-formula", "ln(x - 100)")
    page.locator("#hill-reads", has_text="nowhere on this map").wait_for()
    page.click("#hill-run")
    page.locator("#said", has_text="no height").wait_for(state="attached")
    for why in ask("""() => Object.keys(JSON.parse(document.querySelector('#text').textContent).downhill.why)"""):
        assert why in {why for why, _, _ in MISREAD.values()}, f"no test asks for {why}"


@pytest.mark.parametrize(
    "choices",
    [
        {"surface": "rosenbrock", "rate": "0.0012", "steps": "321"},
        {
            "formula": "sin(x)*cos(y)",
            "view": "0,0,4",
            "point": "0.5,-1.25",
            "rate": "0.5",
            "steps": "200",
            "tried": "0.5,-3",
            "sharpness": "shown",
        },
        {"surface": "himmelblau", "point": "0,0", "view": "1,2,0.5"},
    ],
)
def test_an_address_shows_again_what_was_shown(opened: Opened, choices: dict[str, str]):
    address = f"{opened.address}#downhill?{'&'.join(f'{name}={value}' for name, value in choices.items())}"
    opened.page.goto("about:blank")
    opened.page.goto(address.replace("+", "%2B"))
    opened.page.locator("#hill-along-x circle").wait_for()
    found = opened.ask("explorer.scenes.downhill.choices()")
    assert opened.page.is_hidden("#notice")
    steps = found.pop("steps")
    assert {name: str(value) for name, value in found.items() if value is not None} == {
        name: value for name, value in choices.items() if name != "steps"
    }
    assert (steps or 0) <= int(choices.get("steps", 0))


def test_what_an_address_asks_for_in_vain_changes_nothing(opened: Opened):
    wrong = {
        "surface": "constructor", "formula": "x +", "point": "1", "view": "0,0,0", "rate": "-1", "steps": "1e9",
        "sharpness": "yes", "tried": "0.1,",
    }  # fmt: skip
    before = opened.ask("explorer.scenes.downhill.choices()")
    assert opened.ask("(wrong) => explorer.scenes.downhill.restore(new Map(Object.entries(wrong)))", wrong) == [
        "formula", "surface", "point", "view", "rate", "steps", "sharpness", "tried",
    ]  # fmt: skip
    assert opened.ask("explorer.scenes.downhill.choices()") == before
    assert opened.ask("explorer.scenes.downhill.restore(new Map([['rate', '0.2'], ['point', 'x']]))") == ["point"]
    assert opened.ask("explorer.scenes.downhill.choices().rate") == 0.2
