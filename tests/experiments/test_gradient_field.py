"""The script gradient_field: against derivatives worked out by hand, and each kind of wrong input."""

from pathlib import Path

import numpy as np
import pytest

from experiments import gradient_field
from experiments.reports import gradient_field as report
from tests.experiments.commands import PNG, main, refused

SMALL = ("--grid", "15")

BY_HAND = {
    "bowl": lambda x, y: (x**2 + y**2, 2 * x, 2 * y),
    "valley": lambda x, y: (5.25 * x**2 - 9.5 * x * y + 5.25 * y**2, 10.5 * x - 9.5 * y, 10.5 * y - 9.5 * x),
    "saddle": lambda x, y: (x**2 - y**2, 2 * x, -2 * y),
    "rosenbrock": lambda x, y: (
        (1 - x) ** 2 + 100 * (y - x**2) ** 2,
        -2 * (1 - x) - 400 * x * (y - x**2),
        200 * (y - x**2),
    ),
    "himmelblau": lambda x, y: (
        (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2,
        4 * x * (x**2 + y - 11) + 2 * (x + y**2 - 7),
        2 * (x**2 + y - 11) + 4 * y * (x + y**2 - 7),
    ),
}


@pytest.mark.parametrize(
    "name", [name if name == "valley" else pytest.param(name, marks=pytest.mark.long) for name in BY_HAND]
)
def test_what_is_said_about_a_point_equals_the_derivatives_by_hand(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(report, "figures", lambda record, folder: [])
    options = ("--surface", name, "--point", "-1.1", "0.7", "--rates", "1e-4", "--steps", "3")
    results = main(gradient_field, monkeypatch, *options, *SMALL, "--out", str(tmp_path))["results"]
    height, *partials = BY_HAND[name](-1.1, 0.7)
    length = np.hypot(*partials)
    assert results["value"] == pytest.approx(height, rel=1e-12)
    assert results["partials"] == pytest.approx(partials, rel=1e-12)
    assert results["differences"] == pytest.approx(partials, rel=1e-6)
    assert results["gradient_length"] == pytest.approx(length, rel=1e-12)
    slopes = [results["slopes"][way] for way in ("along x", "along y", "along the gradient", "against it")]
    assert slopes == pytest.approx([*partials, length, -length], rel=1e-12)
    assert results["slopes"]["at right angles to it"] == pytest.approx(0, abs=1e-12 * length)
    printed = capsys.readouterr().out
    assert all(f"{partial:.8g}" in printed for partial in partials)

    x, y = np.meshgrid(results["xs"], results["ys"])
    np.testing.assert_allclose(results["heights"], BY_HAND[name](x, y)[0], rtol=1e-5, atol=1e-6)
    x, y = np.meshgrid(results["arrows"]["xs"], results["arrows"]["ys"])
    gradients = np.stack(BY_HAND[name](x, y)[1:], axis=-1)
    np.testing.assert_allclose(results["arrows"]["gradients"], gradients, rtol=1e-5, atol=1e-6)

    way = [np.array([-1.1, 0.7])]
    for _ in range(3):
        way.append(way[-1] - 1e-4 * np.array(BY_HAND[name](*way[-1])[1:]))
    np.testing.assert_allclose(results["walks"][0]["points"], way, rtol=1e-12)


def test_in_the_valley_one_walk_arrives_one_is_slow_and_the_one_above_two_over_sharpness_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(report, "figures", lambda record, folder: [])
    results = main(gradient_field, monkeypatch, *SMALL, "--out", str(tmp_path))["results"]
    assert results["sharpness"] == pytest.approx(20, rel=1e-12)
    slow, good, overshooting = results["walks"]
    assert [walk["rate"] * 20 for walk in results["walks"]] == pytest.approx([0.1, 1, 2.1])
    assert [walk["how"] for walk in results["walks"]] == ["still walking", "arrived", "overshot and left the picture"]
    for walk in (slow, good):
        assert np.all(np.diff(walk["heights"]) < 0)
    assert np.linalg.norm(good["points"][-1]) < 0.01
    across = np.diff(overshooting["points"], axis=1)[:, 0]  # y - x, which each step turns around and makes longer
    np.testing.assert_allclose(across[1:] / across[:-1], 1 - 2.1, rtol=1e-9)
    assert np.all(np.abs(overshooting["points"][:-1]) <= 2)
    assert np.max(np.abs(overshooting["points"][-1])) > 2
    assert "overshot above a rate of 0.1." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "ends"),
    [
        ("--surface bowl --rates 0.5 1 1.01", ["arrived", "still walking", "overshot and left the picture"]),
        ("--surface bowl --rates 0 2 --steps 1000", ["still walking", "overshot and diverged"]),
        ("--surface bowl --point 0 0 --rates 0.1", ["arrived"]),
        ("--surface saddle", ["left the picture, downhill"] * 3),
        ("--surface himmelblau --point 3 2 --rates 1e-3", ["arrived"]),
    ],
)
def test_how_a_walk_ended_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, ends: list[str]):
    monkeypatch.setattr(report, "figures", lambda record, folder: [])
    results = main(gradient_field, monkeypatch, *options.split(), *SMALL, "--out", str(tmp_path))["results"]
    assert [walk["how"] for walk in results["walks"]] == ends


def test_where_a_walk_came_to_no_number_the_table_says_so(capsys: pytest.CaptureFixture[str]):
    walk = {"rate": 0.5, "steps": 1, "points": [[0.0, 1.0], [None, 2.0]], "heights": [1.0, None], "how": "came to"}
    report.print_walks({"sharpness": 2.0, "flat": 1e-4, "walks": [walk]})
    assert "(nan, 2)" in capsys.readouterr().out


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A user's module, with right and wrong surfaces in it."""
    (tmp_path / "my_surfaces.py").write_text("""
import math
import jax.numpy as jnp

number = 4
def waves(x, y): return jnp.sin(x) * jnp.exp(y)
def flat(x, y): return 0.0 * x
def vector(x, y): return jnp.stack([x, y])
def pair(x, y): return x, y
def by_math(x, y): return math.sin(x)
def branch(x, y): return x if x > y else y
def one_argument(x): return x
def root(x, y): return jnp.sqrt(x) + y
def pole(x, y): return 1 / (x + 2) + y
def cusp(x, y): return jnp.sqrt(jnp.abs(x)) + y
""")
    monkeypatch.syspath_prepend(tmp_path)
    return "my_surfaces"


def test_a_surface_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str):
    options = f"--surface {own}:waves --point 2 0.5 --x-range 0 6 --y-range -1 1 --rates 0.1 0.2 --steps 3 --grid 30"
    record = main(gradient_field, monkeypatch, *options.split(), "--out", str(tmp_path / "out"))
    results = record["results"]
    assert results["partials"] == pytest.approx([np.cos(2) * np.exp(0.5), np.sin(2) * np.exp(0.5)], rel=1e-12)
    pictures = {path: path.read_bytes() for path in (tmp_path / "out" / "field.png", tmp_path / "out" / "walk.gif")}
    assert [content[:6] for content in pictures.values()] == [PNG[:6], b"GIF89a"]
    main(gradient_field, monkeypatch, "--redraw", "--out", str(tmp_path / "out"))
    assert {path: path.read_bytes() for path in pictures} == pictures


def test_flat_ground_has_no_direction_and_needs_rates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, capsys: pytest.CaptureFixture[str]
):
    options = ("--surface", f"{own}:flat", *SMALL, "--out", str(tmp_path / "out"))
    said = refused(gradient_field, monkeypatch, *options)
    assert "the sharpness at the point is 0" in said
    assert "choose --rates" in said
    results = main(gradient_field, monkeypatch, *options, "--rates", "0.1")["results"]
    assert list(results["slopes"].values()) == [0, 0]
    assert "the ground is flat here" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("absent", "has no attribute 'absent'"),
        ("number", "is of type int; expected a function of two numbers"),
        ("vector", "the function returns an array of shape (2,); a derivative needs one number"),
        ("pair", "a derivative needs one number"),
        ("by_math", "cannot be traced by JAX: write it with jax.numpy, jnp.sin(x) instead of math.sin(x)"),
        ("branch", "jnp.where instead of if"),
        ("one_argument", "takes 1 positional argument but 2 were given"),
        ("root", "is nan at (-1.5, 1); choose a --point where it is finite"),
        ("root --point 1 1", "the surface is nan at (-2, -2), inside the picture"),
        ("pole --point 1 1", "the surface is inf at (-2, -2), inside the picture"),
        ("cusp --point 0 1", "has the gradient (inf, 1) at (0, 1)"),
    ],
)
def test_a_function_that_is_no_surface_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, function: str, message: str
):
    options = f"--surface {own}:{function}".split()
    said = refused(gradient_field, monkeypatch, *options, *SMALL, "--out", str(tmp_path / "out"))
    assert message in said
    assert "\n" not in said
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--surface nonsense", "expected one of bowl, valley, saddle, rosenbrock, himmelblau, or module:function"),
        ("--surface :f", "surface is :f; expected one of"),
        ("--surface no_such_module:f", "cannot be imported: No module named 'no_such_module'"),
        ("--point 5 0", "point has x = 5, outside the picture, -2 to 2"),
        ("--point 0 nan", "point has y = nan, outside the picture"),
        ("--point 1", "point has 1 coordinates; a point of the plane has two, x and y"),
        ("--point 1 2 0", "point has 3 coordinates"),
        ("--y-range 1 1", "y_range is 1 to 1; it must be two finite numbers, the lower one first"),
        ("--x-range -2 inf", "x_range is -2 to inf"),
        ("--rates 0.1 nan", "rate is nan"),
        ("--rates -1", "rate is -1.0; a learning rate is a finite number, zero or more"),
        ("--rates", "rates is empty"),
        ("--steps 0", "steps is 0; it must be between 1 and 100,000"),
        ("--grid 1", "grid is 1; a picture needs at least 2 points"),
        ("--grid 1000000", "so many points a side take some 60,000.0 GB: at most 2,000"),
        ("--surface himmelblau --point 0 0", "the sharpness at the point is -26"),
    ],
)
def test_wrong_input_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
):
    said = refused(gradient_field, monkeypatch, *options.split(), "--out", str(tmp_path))
    assert message in said
    assert "\n" not in said
    assert not list(tmp_path.iterdir())
