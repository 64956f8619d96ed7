"""Careful steps or a drunk walk: what do the two look like from above?

    python -m experiments.drunk_walk

From the same random start, the lecture's network walks downhill with all 60,000 images for every step, and with random
batches of 1,000, 100 and 10. The walks are drawn on the plane that they stray from least, over the cost on that plane;
the ends of two of them are looked at on planes of random directions. And the drunkenness is measured: the angle
between the gradient of a batch and that of all images, the noise scale, the length of the way over the distance
from its start. Some 70 seconds on two cores. Over --seed 0 to 4 the walk with batches of 10 is 19.7 ± 0.5 times as long
as it leads far, that of the full batch 5.1 ± 0.9 times, and it needs a four hundredth of the examples.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke

import jaxnet
from experiments import drawing, script, tables
from experiments.full_batch_vs_sgd import Arm, parse_arms
from jaxnet.calculus import check_grid


@dataclass(frozen=True)
class Config:
    """The choices."""

    arms: tuple[str, ...] = ("full:5:400", "1000:6:7", "100:4:1", "10:0.25:1")
    """The walks, each as BATCH_SIZE:RATE:EPOCHS; the rates are those that full_batch_vs_sgd --tune found."""
    points: int = 100
    """About so many points of each walk are kept for the picture; its length is measured step by step."""
    close_steps: int = 100
    """Single steps, from the middle of the walk with the smallest batches, that are looked at from close by."""
    drunks: int = 4
    """How many walks with small batches start there, each with other batches."""
    stages: int = 6
    """Points of the walk with the smallest batches, spread from the first to the last, where the noise is measured."""
    batches: int = 30
    """Random batches of each size that are compared with the gradient of all the images at each of these points."""
    grid: int = 41
    """Points along each side of a plane."""
    plane_images: int = 5_000
    """Training images that the cost on a plane is the mean of."""
    seed: int = 0
    """Decides the initial network, the batches, and the random directions."""
    data: str = "mnist"
    """mnist (embedded), tfds:NAME for a set of tensorflow-datasets, or the path of an .npz file."""
    hidden: tuple[int, ...] = (16, 16)
    """Neurons in each hidden layer."""
    limit: int | None = None
    """Only the first so many training and test images."""


def run(config: Config, _folder: Path) -> script.Record:
    """Walks, then looks at the ground from above, then measures."""
    script.check_at_least(config, points=3, close_steps=2, drunks=1, stages=2, batches=2, grid=2, plane_images=1)
    if config.points > 10_000:
        raise ValueError(f"points is {config.points}; each is a whole network that is kept: at most 10,000")
    check_grid(config.grid, config.grid, numbers=1)
    train, test, classes = script.load(config.data, config.limit)
    arms = sorted(parse_arms(config.arms, len(train.images)), key=lambda arm: -arm.batch_size)
    for arm in arms:
        if arm.rate == 0:
            raise ValueError(
                f"the rate of {tables.batch_name(arm.batch_size, len(train.images))} is 0; that is no walk"
            )
    start, order, again, directions, draws = jax.random.split(jax.random.key(config.seed), 5)
    params = jaxnet.init(start, (train.images.shape[1], *config.hidden, classes))
    examples = jnp.asarray(train.images), jaxnet.one_hot(train.labels, classes)
    some = examples[0][: config.plane_images], examples[1][: config.plane_images]

    walks, results = [], {"n": len(train.images), "arms": []}
    for arm in arms:
        path, found = take_a_walk(config, arm, params, examples, test, order)
        walks.append(path)
        results["arms"].append(found)
    results["above"] = seen_from_above(config, walks, some)
    results["close"] = close_up(config, walks[-1], arms[-1], examples, some, again)
    results["ends"] = [around(config, walks[i], arms[i], directions, some) for i in (0, -1)]
    results["stages"] = measure_noise(config, walks[-1], results["arms"][-1]["steps"], examples, draws)
    print_tables(results)
    return results


def take_a_walk(
    config: Config,
    arm: Arm,
    params: jaxnet.Params,
    examples: tuple[jax.Array, jax.Array],
    test: jaxnet.Dataset,
    key: jax.Array,
) -> tuple[jaxnet.Params, script.Record]:
    """The path, stacked, and what can be said of it: at each of its points, and at its end."""
    n = len(examples[0])
    steps = arm.epochs * n // arm.batch_size
    stride = max(1, steps // config.points)
    points = steps // stride
    if arm.batch_size == n:
        batches = None
    else:
        epochs = jax.vmap(lambda key: jax.random.permutation(key, n))(jax.random.split(key, arm.epochs))
        batches = epochs.reshape(-1)[: points * stride * arm.batch_size].reshape(points, stride, arm.batch_size)
    path, lengths = stroll(params, *examples, batches, arm.rate, points=points, stride=stride)
    away = jax.vmap(lambda point: optax.tree.norm(jax.tree.map(jnp.subtract, point, params)))(path)
    end = jax.tree.map(lambda leaf: leaf[-1], path)
    if not np.isfinite(away).all():
        raise script.Stopped(
            f"{tables.batch_name(arm.batch_size, n)}: rate {arm.rate:g} is too large, the cost is infinite", {}
        )
    return path, {
        "batch_size": arm.batch_size,
        "rate": arm.rate,
        "steps": stride * np.arange(points + 1),
        "length": np.concatenate([[0.0], np.cumsum(lengths)]),
        "displacement": away,
        "test_accuracy": float(jax.jit(jaxnet.accuracy)(end, test.images, test.labels)),
    }


@functools.partial(jax.jit, static_argnames=("points", "stride"))
def stroll(
    params: jaxnet.Params,
    images: jax.Array,
    targets: jax.Array,
    batches: jax.Array | None,
    rate: jax.Array | float,
    *,
    points: int,
    stride: int,
) -> tuple[jaxnet.Params, jax.Array]:
    """Plain descent: the parameters at the start and after every `stride` steps, and the length of each stretch.

    `batches` (points, stride, batch_size) are indices of examples; None takes them all for every step.
    """
    optimizer = optax.sgd(rate)
    gradient = jaxnet.in_chunks(jax.grad(jaxnet.cost), 2_000)

    def one_step(state: jaxnet.State, batch: jax.Array | None) -> tuple[jaxnet.State, jax.Array]:
        some = (images, targets) if batch is None else (images[batch], targets[batch])
        state, info = jaxnet.step(state, *some, optimizer=optimizer, gradient=gradient)
        return state, rate * optax.tree.norm(info.gradient)

    def stretch(state: jaxnet.State, batches: jax.Array | None) -> tuple[jaxnet.State, tuple[jaxnet.Params, jax.Array]]:
        state, lengths = jax.lax.scan(one_step, state, batches, length=stride)
        return state, (state.params, jnp.sum(lengths))

    state = jaxnet.State(params, optimizer.init(params))
    _, (path, lengths) = jax.lax.scan(stretch, state, batches, length=points)
    return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), params, path), lengths


def seen_from_above(config: Config, walks: list[jaxnet.Params], examples: tuple[jax.Array, jax.Array]) -> script.Record:
    """The plane that all the walks together stray from least, where they lie on it, and the cost on it."""
    together = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *walks)
    found = jaxnet.pca_plane(together)
    coordinates = np.asarray(found.coordinates)
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    margin = 0.12 * (high - low)
    xs, ys = np.linspace(low - margin, high + margin, config.grid, dtype=np.float32).T
    ends = np.cumsum([len(walk[0].biases) for walk in walks])[:-1]
    return {
        "explained": found.explained,
        "coordinates": np.split(coordinates, ends),
        "xs": xs,
        "ys": ys,
        "cost": cost_on_plane(found.plane, *examples, jnp.asarray(xs), jnp.asarray(ys)),
    }


def close_up(
    config: Config,
    walk: jaxnet.Params,
    arm: Arm,
    examples: tuple[jax.Array, jax.Array],
    some: tuple[jax.Array, jax.Array],
    key: jax.Array,
) -> script.Record:
    """Single steps from the middle of a walk: all images for each of them, and again and again with small batches."""
    n, middle = len(examples[0]), jax.tree.map(lambda leaf: leaf[len(leaf) // 2], walk)
    shape = (config.close_steps, 1, arm.batch_size)
    careful, _ = stroll(middle, *examples, None, arm.rate, points=config.close_steps, stride=1)
    drunk = [
        stroll(middle, *examples, jax.random.randint(one, shape, 0, n), arm.rate, points=config.close_steps, stride=1)[
            0
        ]
        for one in jax.random.split(key, config.drunks)
    ]
    return seen_from_above(config, [careful, *drunk], some) | {"batch_size": arm.batch_size, "rate": arm.rate}


def around(
    config: Config, walk: jaxnet.Params, arm: Arm, key: jax.Array, examples: tuple[jax.Array, jax.Array]
) -> script.Record:
    """The cost around the end of a walk, on a plane of two random directions with normalised filters."""
    end = jax.tree.map(lambda leaf: leaf[-1], walk)
    plane = jaxnet.Plane(end, *(jaxnet.random_direction(one, end) for one in jax.random.split(key)))
    along = jnp.linspace(-1, 1, config.grid)
    return {"batch_size": arm.batch_size, "along": along, "cost": cost_on_plane(plane, *examples, along, along)}


@jax.jit
def cost_on_plane(
    plane: jaxnet.Plane, images: jax.Array, targets: jax.Array, xs: jax.Array, ys: jax.Array
) -> jax.Array:
    """The cost at every point of a grid on the plane, (ys, xs)."""

    def cost(point: jax.Array) -> jax.Array:
        return jaxnet.cost(jaxnet.on_plane(plane, point), images, targets)

    return jaxnet.on_grid(cost, xs, ys, at_once=1)


def measure_noise(
    config: Config, walk: jaxnet.Params, steps: np.ndarray, examples: tuple[jax.Array, jax.Array], key: jax.Array
) -> list[script.Record]:
    """Noise scale, and the angle between the gradients of batches and of all the images, at stages of a walk."""
    n, last = len(examples[0]), len(steps) - 1
    later = np.unique(np.geomspace(1, last, config.stages - 1).round().astype(int))
    sizes = [size for size in 10 ** np.arange(6) if size < n]
    stages = []
    for point in (0, *later):
        params = jax.tree.map(lambda leaf, point=point: leaf[point], walk)
        noise = noise_of(params, *examples)
        full = float(optax.tree.norm(noise.mean)) ** 2
        keys = jax.random.split(jax.random.fold_in(key, point), len(sizes))
        cosines = [
            cosines_of_batches(params, *examples, noise.mean, jax.random.split(one, config.batches), batch_size=int(b))
            for one, b in zip(keys, sizes, strict=True)
        ]
        stages.append(
            {
                "steps": steps[point],
                "noise_scale": noise.scale,
                "standard_error": noise.standard_error,
                "trace": noise.trace,
                "full_gradient": full**0.5,
                "batch_sizes": sizes,
                "cosines": cosines,
                "expected": 1 / np.sqrt(1 + float(noise.trace) / full / np.array(sizes)),
            }
        )
    return stages


noise_of = jax.jit(jaxnet.noise_scale)


@functools.partial(jax.jit, static_argnames="batch_size")
def cosines_of_batches(
    params: jaxnet.Params, images: jax.Array, targets: jax.Array, full: jaxnet.Params, keys: jax.Array, batch_size: int
) -> jax.Array:
    """The cosine of the angle between the gradient of a random batch and the full gradient, for each key."""

    def one(key: jax.Array) -> jax.Array:
        batch = jax.random.randint(key, (batch_size,), 0, len(images))
        return jaxnet.cosine(jax.grad(jaxnet.cost)(params, images[batch], targets[batch]), full)

    return jax.lax.map(one, keys)


def print_tables(results: script.Record) -> None:
    """The walks, then the noise along the one with the smallest batches."""
    n = results["n"]
    print("\nThe walks, all from the same initial network (length and distance in units of the parameters)\n")
    rows = []
    for arm in results["arms"]:
        steps, length, away = arm["steps"][-1], float(arm["length"][-1]), float(arm["displacement"][-1])
        rows.append(
            [
                f"{tables.batch_name(arm['batch_size'], n)}, rate {arm['rate']:g}",
                f"{steps:,}",
                tables.number(steps * arm["batch_size"]),
                f"{length:.1f}",
                f"{away:.1f}",
                f"{length / away:.2f}",
                f"{100 * arm['test_accuracy']:.2f} %",
            ]
        )
    tables.table(["", "steps", "examples", "length", "distance", "length / distance", "test accuracy"], rows)
    small = results["arms"][-1]
    stages, sizes = results["stages"], results["stages"][0]["batch_sizes"]
    name = tables.batch_name(small["batch_size"], n)
    print(f"\nAlong the walk with {name}: simple noise scale (examples, ± standard error)")
    print("and cosine of the angle between the gradient of a random batch and that of all images, mean ± deviation\n")
    rows = []
    for stage in stages:
        scale, error = float(stage["noise_scale"]), float(stage["standard_error"])
        cosines = [tables.spread(each, "{:.2f}".format) for each in stage["cosines"]]
        rows.append([f"{stage['steps']:,}", f"{tables.number(scale)} ± {tables.number(error)}", *cosines])
    tables.table(["step", "noise scale", *(f"batch {size:,}" for size in sizes)], rows)
    for name, part in (("The plane of the walks", "above"), ("That of the single steps", "close")):
        print(f"\n{name} has {100 * float(np.sum(results[part]['explained'])):.0f} % of their variance.", end="")
    print()


COLOURS = [colour for colour, _ in drawing.STYLES]


def figures(record: script.Record, folder: Path) -> list[Path]:
    """The walks from above, still and moving; the ground around two ends; the noise."""
    if "stages" not in record["results"]:
        return []
    results = record["results"]
    return [
        draw_walks(results, folder / "walks.png"),
        draw_walking(results, folder / "walks.gif"),
        draw_ends(results, folder / "ends.png"),
        draw_noise(results, folder / "noise.png"),
    ]


def labels(results: script.Record) -> list[str]:
    """One for each walk."""
    return [
        f"{tables.batch_name(arm['batch_size'], results['n'])}, rate {arm['rate']:g}: {arm['steps'][-1]:,} steps,"
        f" {tables.number(arm['steps'][-1] * arm['batch_size'])} examples"
        for arm in results["arms"]
    ]


def draw_ground(axes: Axes, xs: Any, ys: Any, cost: Any, levels: np.ndarray) -> Any:
    """Filled contours of the cost, the lower the darker."""
    cost = np.clip(np.array(cost, float), levels[0], levels[-1])
    filled = axes.contourf(xs, ys, cost, levels=levels, norm=LogNorm(levels[0], levels[-1]), cmap="Blues_r")
    axes.contour(xs, ys, cost, levels=levels[::2], colors="white", linewidths=0.4, alpha=0.6)
    return filled


def levels_for(*costs: Any) -> np.ndarray:
    """Contour levels, equally spaced in the logarithm."""
    low = min(np.min(np.array(cost, float)) for cost in costs)
    high = max(np.max(np.array(cost, float)) for cost in costs)
    return np.geomspace(0.98 * low, 1.02 * high, 22)


def on_the_ground(results: script.Record) -> tuple[Figure, list[Axes]]:
    """Two planes seen from above, the whole way and the close-up, still without the walks."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 6.2), layout="constrained")
    for axes, part in ((left, "above"), (right, "close")):
        plane = results[part]
        levels = levels_for(plane["cost"])
        filled = draw_ground(axes, plane["xs"], plane["ys"], plane["cost"], levels)
        bar = figure.colorbar(filled, ax=axes, label="cost on the plane", location="bottom", shrink=0.8, aspect=40)
        bar.set_ticks(list(levels[::4]), labels=[f"{level:.3g}" for level in levels[::4]])
        first, second = (f"{100 * share:.0f} % of the variance" for share in plane["explained"])
        axes.set(xlabel=f"first principal component ({first})", ylabel=f"second ({second})")
        x, y = plane["coordinates"][0][0]
        axes.plot(x, y, "*", color="#f0e442", markersize=16, mec="black", zorder=5)
    left.set_title("The whole way, from a random start")
    small, rate = tables.batch_name(results["close"]["batch_size"], results["n"]), results["close"]["rate"]
    steps = len(results["close"]["coordinates"][0]) - 1
    right.set_title(f"Close up: {steps} single steps at rate {rate:g},\nfrom the middle of the walk with {small}")
    return figure, [left, right]


def trails(axes: Axes, coordinates: Any, colours: list[str]) -> list[tuple[np.ndarray, Line2D, Line2D]]:
    """Each walk's points, the line for its way and the dot for where it is."""
    drawn = []
    for points, colour in zip(coordinates, colours, strict=False):
        (line,) = axes.plot(*np.array(points, float).T, "-", color=colour, linewidth=1.8)
        line.set_path_effects([Stroke(linewidth=3.2, foreground="white", alpha=0.8), Normal()])
        (head,) = axes.plot(*np.array(points[-1:], float).T, "o", color=colour, mec="white", markersize=8, zorder=4)
        drawn.append((np.array(points, float), line, head))
    return drawn


def draw_walks(results: script.Record, path: Path) -> Path:
    """All walks on their plane, and single steps from close by."""
    figure, (left, right) = on_the_ground(results)
    lines = [line for _, line, _ in trails(left, results["above"]["coordinates"], COLOURS)]
    figure.legend(lines, labels(results), fontsize=9, loc="outside lower left", ncols=2)
    number = len(results["close"]["coordinates"]) - 1
    lines = [
        line for _, line, _ in trails(right, results["close"]["coordinates"], [COLOURS[0], *[COLOURS[3]] * number])
    ]
    small = tables.batch_name(results["close"]["batch_size"], results["n"])
    names = ["full batch: careful steps", f"{small}: {number} drunk walks"]
    figure.legend(lines[:2], names, fontsize=9, loc="outside lower right")
    figure.suptitle("Walks downhill, seen from above")
    return drawing.save_figure(figure, path)


def draw_walking(results: script.Record, path: Path) -> Path:
    """The largest batches and the smallest, step after step: the whole way, and from close by."""
    figure, (left, right) = on_the_ground(results)
    ends, colours = (0, -1), [COLOURS[0], COLOURS[3]]
    moving = [
        *trails(left, [results["above"]["coordinates"][end] for end in ends], colours),
        *trails(right, results["close"]["coordinates"][:2], colours),
    ]
    arms = [results["arms"][end] for end in ends]
    lines = [line for _, line, _ in moving[:2]]
    legend = left.legend(lines, ["", ""], loc="lower left", prop={"family": "monospace", "size": 9})

    def show(frame: float) -> None:
        for points, line, head in moving:
            last = round(frame * (len(points) - 1))
            line.set_data(*points[: last + 1].T)
            head.set_data(*points[last : last + 1].T)
        for arm, text in zip(arms, legend.get_texts(), strict=True):
            steps = arm["steps"][round(frame * (len(arm["steps"]) - 1))]
            name = tables.batch_name(arm["batch_size"], results["n"])
            text.set_text(f"{name:13} {steps:6,} steps {steps * arm['batch_size']:11,} images")

    figure.suptitle("Careful steps and a drunk walk")
    show(1.0)
    frames = min(51, max(len(points) for points, _, _ in moving))
    return drawing.save_animation(figure, show, np.linspace(0, 1, frames), path, seconds=0.12)


def draw_ends(results: script.Record, path: Path) -> Path:
    """The cost around the ends of two walks, on the same scale."""
    ends = results["ends"]
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained", sharey=True)
    levels = levels_for(*(end["cost"] for end in ends))
    filled: Any = None
    for each, end in zip(axes, ends, strict=True):
        filled = draw_ground(each, end["along"], end["along"], end["cost"], levels)
        each.plot(0, 0, "o", color="#d55e00", mec="white", markersize=9)
        each.set(
            xlabel="along a random direction",
            title=f"where {tables.batch_name(end['batch_size'], results['n'])} led to",
        )
        each.set_aspect("equal")
    axes[0].set_ylabel("along another random direction")
    bar = figure.colorbar(filled, ax=axes, label="cost", shrink=0.9, format="%.2g")
    bar.set_ticks(list(levels[::3]))
    figure.suptitle("Around the ends; at 1 every neuron has moved as far as its own weights are long")
    return drawing.save_figure(figure, path)


def draw_noise(results: script.Record, path: Path) -> Path:
    """Angles, noise scale, and how crooked the walks are."""
    stages = results["stages"]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.4), layout="constrained")
    shades = plt.get_cmap("cividis")(np.linspace(0, 0.9, len(stages)))
    for stage, colour, marker in zip(stages, shades, "osD^vP*X<>" * 3, strict=False):
        cosines = np.array(stage["cosines"], float)
        sizes = np.array(stage["batch_sizes"])
        left.plot(sizes, stage["expected"], "-", color=colour, linewidth=1)
        left.plot(sizes, cosines.mean(axis=1), marker, color=colour, markersize=6, label=f"step {stage['steps']:,}")
    left.set(xscale="log", ylim=(-0.05, 1.05), xlabel="batch size (examples)", ylabel="cosine, mean of random batches")
    left.set_title("Angle between a batch's gradient\nand that of all images", fontsize=10)
    left.legend(fontsize=7.5, title="line: ≈ 1/√(1 + B/size)", title_fontsize=7.5, loc=(0.02, 0.36))
    steps = np.array([stage["steps"] for stage in stages])
    scale, error = (np.array([stage[key] for stage in stages], float) for key in ("noise_scale", "standard_error"))
    middle.errorbar(steps, scale, 1.96 * error, fmt="o-", color="#0072b2", capsize=3)
    middle.set_xscale("symlog", linthresh=max(1, steps[1]))
    middle.set_xticks(steps, [f"{step:,}" for step in steps], fontsize=8)
    middle.set_xticks([], minor=True)
    middle.set(yscale="log", xlabel="steps", ylabel="noise scale (examples)")
    small = tables.batch_name(results["arms"][-1]["batch_size"], results["n"])
    middle.set_title(f"Simple noise scale B = tr(Sigma) / |G|²\nalong the walk with {small}", fontsize=10)
    for arm, colour, style in zip(results["arms"], COLOURS, ["-", "--", "-.", ":", "-", "--"], strict=False):
        length, away = (np.array(arm[key], float)[1:] for key in ("length", "displacement"))
        name = tables.batch_name(arm["batch_size"], results["n"])
        right.plot(arm["steps"][1:], length / away, style, color=colour, label=name, linewidth=1.8)
    right.set(xscale="log", yscale="log", xlabel="steps", ylabel="length of the way / distance from the start")
    right.set_title("How crooked the way is (1: straight)", fontsize=10)
    right.legend(fontsize=8)
    for each in (left, middle, right):
        each.grid(alpha=0.3)
    return drawing.save_figure(figure, path)


def main() -> None:
    """The command line."""
    script.main("drunk_walk", __doc__, Config, run, figures)


if __name__ == "__main__":
    main()
