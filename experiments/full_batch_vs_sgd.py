"""Careful steps or a drunk walk: why does everybody train with mini-batches?

    python -m experiments.full_batch_vs_sgd

Five copies of the lecture's network, each from its own random start, roll downhill four times: with all 60,000 images
for every step, and with random batches of 1,000, 100 and 10, each at its own best learning rate. They are compared
after as many examples, as many steps, and as many seconds. Some two minutes on two cores; batches of 10 get to 90 %
after some 300 times fewer examples than the full batch.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import matplotlib.pyplot as plt
import numpy as np
import optax

import jaxnet
from experiments import drawing, networks, script, tables


@dataclass(frozen=True)
class Config:
    """The choices."""

    arms: tuple[str, ...] = ("full:5:440", "1000:6:40", "100:4:30", "10:0.25:15")
    """What to compare, each as BATCH_SIZE:RATE:EPOCHS. The rates are those that --tune found."""
    seeds: int = 5
    """Initial networks; every arm starts from the same ones."""
    seed: int = 0
    """Decides the initial networks and the order of the examples."""
    goal: float = 90.0
    """Test accuracy in percent to be reached."""
    data: str = "mnist"
    """mnist (embedded), tfds:NAME for a set of tensorflow-datasets, or the path of an .npz file."""
    hidden: tuple[int, ...] = (16, 16)
    """Neurons in each hidden layer."""
    limit: int | None = None
    """Only the first so many training and test images."""
    tune: bool = False
    """First find each arm's best rate: trained without the last sixth of the training images, judged by them."""
    grid: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
    """Rates that --tune tries."""
    tune_seeds: int = 3
    """Initial networks that --tune tries each rate from, none of them among those compared."""


class Arm(NamedTuple):
    """One way to descend."""

    batch_size: int
    rate: float
    epochs: int


def parse_arms(arms: tuple[str, ...], n: int) -> list[Arm]:
    """Arms from BATCH_SIZE:RATE:EPOCHS, for n training images. Raises ValueError, naming the arm, where one is not."""
    parsed = []
    for text in arms:
        try:
            size, rate, epochs = text.split(":")
            arm = Arm(n if size == "full" else int(size), float(rate), int(epochs))
        except ValueError:
            raise ValueError(f"arm {text} is not BATCH_SIZE:RATE:EPOCHS, such as full:5:440 or 10:0.25:15") from None
        if not 1 <= arm.batch_size <= n:
            raise ValueError(f"arm {text} has batch size {size}; it must be full or between 1 and {n}")
        if arm.epochs < 1:
            raise ValueError(f"arm {text} has {epochs} epochs; it must have at least 1")
        script.check_rate(arm.rate)
        parsed.append(arm)
    if len({arm.batch_size for arm in parsed}) < 2:
        raise ValueError(f"arms are {' '.join(arms) or 'none'}; a comparison needs at least two different batch sizes")
    return parsed


def run(config: Config, _folder: Path) -> script.Record:
    """Tunes if asked to, descends every arm, compares."""
    script.check_at_least(config, seeds=1, tune_seeds=1)
    if not 0 < config.goal <= 100:
        raise ValueError(f"goal is {config.goal}; it must be a test accuracy in percent, above 0 and up to 100")
    train, test, classes = script.load(config.data, config.limit)
    sizes = (train.images.shape[1], *config.hidden, classes)
    arms = parse_arms(config.arms, len(train.images))
    compared, tuned_on, order = jax.random.split(jax.random.key(config.seed), 3)
    results: script.Record = {"n": len(train.images), "goal": config.goal}
    if config.tune:
        results["tuning"] = tune(config, arms, networks.initial(tuned_on, sizes, config.tune_seeds), train, order)
        print_tuning(results)
        arms = [arm._replace(rate=row["best"]) for arm, row in zip(arms, results["tuning"], strict=True)]
    params = networks.initial(compared, sizes, config.seeds)
    results["arms"] = []
    for arm in arms:
        try:
            history = descend(arm, params, train, test, order)
        except jaxnet.Diverged as diverged:
            name = tables.batch_name(arm.batch_size, len(train.images))
            raise script.Stopped(f"{name}, rate {arm.rate:g}: {diverged}", results) from None
        results["arms"].append(arm._asdict() | {"history": history})
    results["comparison"] = compare(results["arms"], config.goal)
    print_comparison(results)
    return results


def descend(
    arm: Arm, params: jaxnet.Params, train: jaxnet.Dataset, test: jaxnet.Dataset, order: jax.Array
) -> script.Record:
    """The history of one arm: some ten looks at the first epoch, twenty at the whole way.

    Its seconds are those of the arm's average pace, so that a single slow moment of the machine does not count.
    """
    steps = -(-len(train.images) // arm.batch_size)

    def walk(epochs: int, looks: int) -> jaxnet.History:
        label = f"{tables.batch_name(arm.batch_size, len(train.images))}, {epochs} epochs"
        with script.progress(label, epochs) as show:
            return jaxnet.train_population(
                order,
                params,
                train,
                optax.sgd,
                np.full(len(params[0].biases), arm.rate, np.float32),
                batch_size=arm.batch_size,
                epochs=epochs,
                test=test,
                evaluate_every=max(1, epochs * steps // looks),
                progress=show,
            )[1]

    # The same key is the same walk, so the first epoch can be looked at again, closer.
    close, far = walk(1, 10), walk(arm.epochs, 20)
    rows = [(close, row) for row in range(len(close.epochs))]
    rows += [(far, row) for row in range(len(far.epochs)) if far.epochs[row] > 1]
    columns = [name for name in jaxnet.History._fields if name != "compile_seconds"]
    history = {name: np.array([getattr(part, name)[row] for part, row in rows]) for name in columns}
    history["seconds"] = history["steps"] * (far.seconds[-1] / far.steps[-1])
    return history | {"compile_seconds": close.compile_seconds + far.compile_seconds}


def tune(
    config: Config, arms: list[Arm], params: jaxnet.Params, train: jaxnet.Dataset, order: jax.Array
) -> list[script.Record]:
    """Every rate of the grid for every arm, judged on the last sixth of the training images, which it does not see."""
    for rate in config.grid:
        script.check_rate(rate)
    n = len(train.images) * 5 // 6
    seen, held_out = (jaxnet.Dataset(train.images[rows], train.labels[rows]) for rows in (slice(n), slice(n, None)))
    stacked, rates = networks.at_rates(params, config.grid)
    tuning = []
    for arm in arms:
        batch_size = n if arm.batch_size == len(train.images) else min(arm.batch_size, n)
        with script.progress(f"tuning {tables.batch_name(batch_size, n)}", arm.epochs) as show:
            _, history = jaxnet.train_population(
                order,
                stacked,
                seen,
                optax.sgd,
                rates,
                batch_size=batch_size,
                epochs=arm.epochs,
                test=held_out,
                evaluate_every=max(1, arm.epochs * -(-n // batch_size) // 4),
                progress=show,
            )
        alive = np.isfinite(history.train_cost[-1])  # the outputs of a dead network are not even wrong
        accuracy = 100 * np.where(alive, history.test_accuracy[-1], 0).reshape(len(config.grid), config.tune_seeds)
        best = config.grid[int(np.argmax(accuracy.mean(axis=1)))]
        tuning.append(arm._asdict() | {"grid": config.grid, "accuracy": accuracy, "best": best})
    return tuning


def compare(arms: list[script.Record], goal: float) -> script.Record:
    """Accuracy after as many examples, steps and seconds; what it took to the goal, and to where the best arm ends."""
    measures = ("examples", "steps", "seconds")
    # A network whose cost is no longer finite has no accuracy: its outputs are not even wrong.
    curves = [
        100 * np.where(np.isfinite(arm["history"]["train_cost"]), arm["history"]["test_accuracy"], np.nan)
        for arm in arms
    ]
    budgets = {measure: min(arm["history"][measure][-1] for arm in arms) for measure in measures}
    best = max(range(len(arms)), key=lambda arm: np.nan_to_num(curves[arm][-1]).mean())
    levels = {"goal": goal, "best": np.nanmin(curves[best][-1])}

    def at(arm: int, measure: str) -> np.ndarray:
        along = arms[arm]["history"][measure]
        return np.array([np.interp(budgets[measure], along, curve) for curve in curves[arm].T])

    return {
        "budgets": budgets,
        "levels": levels,
        "best": best,
        "end": [curve[-1] for curve in curves],
        "at": {measure: [at(arm, measure) for arm in range(len(arms))] for measure in measures},
        "to": {
            level: {
                measure: [
                    [first_reach(arm["history"][measure], curve, value) for curve in each.T]
                    for arm, each in zip(arms, curves, strict=True)
                ]
                for measure in measures
            }
            for level, value in levels.items()
        },
    }


def first_reach(along: np.ndarray, curve: np.ndarray, level: float) -> float:
    """Where the curve first reaches the level, on the straight line between two looks; NaN where it never does."""
    reached = np.flatnonzero(curve >= level)
    if len(reached) == 0:
        return float("nan")
    last = max(1, reached[0])
    return float(np.interp(level, curve[last - 1 : last + 1], along[last - 1 : last + 1]))


def print_tuning(results: script.Record) -> None:
    """Held-out accuracy for each arm and rate, the best one starred, and the arms to use from now on."""
    print(
        "\nAccuracy (%) on the held-out sixth of the training images, mean ± standard deviation; * is the best rate.\n"
    )
    for row in results["tuning"]:
        accuracy = np.asarray(row["accuracy"])
        print(f"{tables.batch_name(row['batch_size'], results['n'])}, {row['epochs']} epochs")
        for rate, each in zip(row["grid"], accuracy, strict=True):
            print(f"  rate {rate:<6g} {tables.percent(each):>14}{' *' if rate == row['best'] else ''}")
        if row["best"] in (row["grid"][0], row["grid"][-1]):
            print("  the best rate lies at the end of the grid: widen it with --grid")
    sizes = ["full" if row["batch_size"] == results["n"] else row["batch_size"] for row in results["tuning"]]
    arms = [f"{size}:{row['best']:g}:{row['epochs']}" for size, row in zip(sizes, results["tuning"], strict=True)]
    print("\nThe best rates as an option: --arms " + " ".join(arms))


def print_comparison(results: script.Record) -> None:
    """Three tables and a sentence."""
    arms, comparison = results["arms"], results["comparison"]
    budgets, levels = comparison["budgets"], comparison["levels"]
    seeds = len(comparison["end"][0])
    names = [f"{tables.batch_name(arm['batch_size'], results['n'])}, rate {arm['rate']:g}" for arm in arms]
    print(f"\nTest accuracy (%), mean ± standard deviation over {seeds} networks, after equal\n")
    heads = [f"{tables.number(budgets[measure])} {measure}" for measure in budgets]
    tables.table(
        ["", *heads, "all its epochs"],
        [
            [
                name,
                *(tables.percent(comparison["at"][measure][arm]) for measure in budgets),
                tables.percent(comparison["end"][arm]),
            ]
            for arm, name in enumerate(names)
        ],
    )
    for level, value in levels.items():
        why = (
            ""
            if level == "goal"
            else f", where every network of {names[comparison['best']].split(', ')[0]} ends or above"
        )
        print(f"\nTo {value:.2f} %{why} (seconds for {seeds} networks side by side)\n")
        tables.table(
            ["", *budgets],
            [
                [name, *(tables.spread(comparison["to"][level][measure][arm]) for measure in budgets)]
                for arm, name in enumerate(names)
            ],
        )
    print("\n" + conclusion(results))


def conclusion(results: script.Record) -> str:
    """One sentence, computed from the numbers: the smallest batch against the largest."""
    arms, to = results["arms"], results["comparison"]["to"]["goal"]
    small = min(range(len(arms)), key=lambda arm: arms[arm]["batch_size"])
    large = max(range(len(arms)), key=lambda arm: arms[arm]["batch_size"])
    names = [tables.batch_name(arms[arm]["batch_size"], results["n"]) for arm in (small, large)]
    goal = f"{results['goal']:g} % test accuracy"
    mean = {measure: [np.mean(to[measure][arm]) for arm in (small, large)] for measure in to}
    if not np.isfinite(mean["examples"][0]):
        return f"Not every network reached {goal} with {names[0]}, so there is nothing to compare."
    if np.min(to["examples"][small]) == 0:
        return f"Some networks were at {goal} before their first step, so there is nothing to compare: raise --goal."
    reached = f"{names[0]} reached {goal} after {tables.number(mean['examples'][0])} examples".capitalize()
    if not np.isfinite(mean["examples"][1]):
        seen = results["arms"][large]["history"]["examples"][-1]
        return f"{reached}; {names[1]} did not with every network, after {tables.number(seen)} examples."
    ratios = np.array(to["examples"][large]) / np.array(to["examples"][small])
    return (
        f"{reached}, {names[1]} after {tables.number(mean['examples'][1])}: {tables.number(ratios.mean())} times as"
        f" many ({tables.number(ratios.min())} to {tables.number(ratios.max())} over the networks), and"
        f" {tables.number(mean['seconds'][1] / mean['seconds'][0])} times the seconds, though in"
        f" {tables.number(mean['steps'][1])} careful steps instead of {tables.number(mean['steps'][0])} drunk ones."
    )


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws cost and accuracy against examples, steps and seconds, and the tuning if there was one."""
    results = record["results"]
    if "comparison" not in results:
        return []
    drawn = [draw_curves(results, folder / "curves.png")]
    if "tuning" in results:
        drawn.append(draw_tuning(results, folder / "tuning.png"))
    return drawn


def draw_curves(results: script.Record, path: Path) -> Path:
    """Mean over the networks as a line, the lowest and highest of them as a band."""
    seeds = len(results["comparison"]["end"][0])
    figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained", sharex="col", sharey="row")
    for index, arm in enumerate(results["arms"]):
        colour, style = drawing.STYLES[index % len(drawing.STYLES)]
        history = arm["history"]
        label = f"{tables.batch_name(arm['batch_size'], results['n'])}, rate {arm['rate']:g}"
        for column, measure in enumerate(("examples", "steps", "seconds")):
            for row, (name, scale) in enumerate((("test_cost", 1), ("test_accuracy", 100))):
                along = np.array(history[measure], float)[1:]
                curves = scale * np.array(history[name], float)[1:]
                drawing.band(axes[row, column], along, curves, style, color=colour, label=label)
    for column, what in enumerate(
        ("examples seen", "steps taken", f"seconds of training, {seeds} networks side by side")
    ):
        axes[1, column].set(xscale="log", xlabel=what)
        axes[1, column].axhline(results["goal"], color="grey", linewidth=0.8, linestyle=":")
    axes[0, 0].set(yscale="log", ylabel="cost on the test images")
    axes[1, 0].set(ylabel="accuracy on the test images (%)", ylim=(0, 100))
    for each in axes.flat:
        each.grid(alpha=0.3)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(f"The same {seeds} networks rolling downhill (line: mean, band: lowest to highest)")
    return drawing.save_figure(figure, path)


def draw_tuning(results: script.Record, path: Path) -> Path:
    """Held-out accuracy against the rate, one line for each arm."""
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for index, row in enumerate(results["tuning"]):
        colour, style = drawing.STYLES[index % len(drawing.STYLES)]
        accuracy = np.array(row["accuracy"], float)
        label = f"{tables.batch_name(row['batch_size'], results['n'])}, best {row['best']:g}"
        drawing.band(axes, row["grid"], accuracy, style, color=colour, label=label, marker="o", markersize=4)
    axes.set(
        xscale="log", xlabel="learning rate", ylabel="accuracy on held-out images (%)", title="Each arm's best rate"
    )
    rates = sorted({rate for row in results["tuning"] for rate in row["grid"]})
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.set_xticks([], minor=True)
    axes.grid(alpha=0.3)
    axes.legend()
    return drawing.save_figure(figure, path)


def main() -> None:
    """The command line."""
    script.main("full_batch_vs_sgd", __doc__, Config, run, figures)


if __name__ == "__main__":
    main()
