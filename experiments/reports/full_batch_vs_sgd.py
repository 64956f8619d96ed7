"""The comparison of batch sizes: three tables, a sentence, the curves."""

from pathlib import Path

import numpy as np

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt


def print_tables(record: script.Record) -> None:
    """The tuning, if there was one, and the comparison."""
    if "tuning" in record["results"]:
        print_tuning(record["results"])
    print_comparison(record["results"])


def print_tuning(results: script.Record) -> None:
    """Held-out accuracy for each arm and rate, the best one starred, and the arms to use from now on."""
    print(
        "\nAccuracy (%) on the held-out sixth of the training images, mean ± standard deviation; * is the best rate.\n"
    )
    for row in results["tuning"]:
        accuracy = np.array(row["accuracy"], float)
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
    mean = {measure: [np.mean(np.array(to[measure][arm], float)) for arm in (small, large)] for measure in to}
    if not np.isfinite(mean["examples"][0]):
        return f"Not every network reached {goal} with {names[0]}, so there is nothing to compare."
    if np.min(np.array(to["examples"][small], float)) == 0:
        return f"Some networks were at {goal} before their first step, so there is nothing to compare: raise --goal."
    reached = f"{names[0]} reached {goal} after {tables.number(mean['examples'][0])} examples".capitalize()
    if not np.isfinite(mean["examples"][1]):
        seen = results["arms"][large]["history"]["examples"][-1]
        return f"{reached}; {names[1]} did not with every network, after {tables.number(seen)} examples."
    ratios = np.array(to["examples"][large], float) / np.array(to["examples"][small], float)
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
