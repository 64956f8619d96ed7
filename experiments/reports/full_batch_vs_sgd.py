"""The comparison of ways downhill: tables, a sentence, the curves."""

from pathlib import Path
from typing import Any

import numpy as np

from experiments.common import drawing, script, tables
from experiments.common.arms import Arm, named, numbers, written
from experiments.common.drawing import plt
from experiments.common.rules import RULES

WORDS = {"examples": "examples", "steps": "steps", "passes": "passes", "seconds": "seconds", "bytes": "bytes sent"}


def print_tables(record: script.Record) -> None:
    """The tuning, if there was one, and the comparison."""
    if "tuning" in record["results"]:
        print_tuning(record["results"])
    print_comparison(record["results"])


def print_tuning(results: script.Record) -> None:
    """Held-out accuracy for each arm and trial, the best one starred, and the arms to use from now on."""
    print(
        "\nAccuracy (%) on the held-out sixth of the training images, mean ± standard deviation; * is the best trial.\n"
    )
    best = []
    for row in results["tuning"]:
        arm = Arm(row["batch_size"], row["rule"], tuple(row["best"]), row["epochs"])
        print(f"{named(arm._replace(numbers=()), results['n'])}, {row['epochs']} epochs")
        for tried, accuracy in zip(row["tried"], row["accuracy"], strict=True):
            choice = numbers(arm._replace(numbers=tuple(tried)))
            print(f"  {choice:<26} {tables.percent(accuracy):>14}{' *' if tried == row['best'] else ''}")
        for name, number, tried in zip(
            RULES[row["rule"]].numbers, row["best"], zip(*row["tried"], strict=True), strict=True
        ):
            if number in (min(tried), max(tried)):
                print(f"  the best {name} lies at the end of what was tried")
        best.append(written(arm, results["n"]))
    seconds, examples = (sum(row[name] for row in results["tuning"]) for name in ("seconds", "examples"))
    print(f"\nTuning looked at {tables.number(examples)} examples in {tables.number(seconds)} seconds of training.")
    print("The best as an option: --arms " + " ".join(best))


def fair(results: script.Record) -> bool:
    """Whether some way is not plain descent, so that steps are not all alike."""
    return any(arm["rule"] != "sgd" for arm in results["arms"])


def print_comparison(results: script.Record) -> None:
    """A table for equal budgets, one for each goal, and a sentence."""
    arms, comparison = results["arms"], results["comparison"]
    shown = list(WORDS) if fair(results) else ["examples", "steps", "seconds"]
    budgets = {measure: comparison["budgets"][measure] for measure in shown}
    seeds = len(comparison["end"][0])
    names = [arm["name"] for arm in arms]
    print(f"\nTest accuracy (%), mean ± standard deviation over {seeds} networks, after equal\n")
    heads = [f"{tables.number(budgets[measure])} {WORDS[measure]}" for measure in shown]
    tables.table(
        ["", *heads, "all its epochs"],
        [
            [
                name,
                *(tables.percent(comparison["at"][measure][arm]) for measure in shown),
                tables.percent(comparison["end"][arm]),
            ]
            for arm, name in enumerate(names)
        ],
    )
    levels = results["goals"] if fair(results) else comparison["levels"]
    for level, to in zip(levels, comparison["to"], strict=False):
        why = "" if level in results["goals"] else f", where every network of {names[comparison['best']]} ends or above"
        print(f"\nTo {level:.2f} %{why} (seconds for {seeds} networks)\n")
        tables.table(
            ["", *(WORDS[measure] for measure in shown)],
            [[name, *(tables.spread(to[measure][arm]) for measure in shown)] for arm, name in enumerate(names)],
        )
    if fair(results):
        price = results["prices"]
        print(
            "\nExamples are those of gradients; one more value of the cost counts"
            f" {price['value']:.2f} times as much, a Hessian-vector product {price['product']:.2f} times. Passes are"
            " all of them, one after the other."
        )
    for goal, to in zip(results["goals"], comparison["to"], strict=False):
        print("\n" + conclusion(results, goal, to))


def conclusion(results: script.Record, goal: float, to: dict[str, Any]) -> str:
    """One sentence, computed from the numbers: the full batch, or the largest, at its best, against smaller ones."""
    arms = results["arms"]
    largest = max(arm["batch_size"] for arm in arms)
    groups = [[index for index, arm in enumerate(arms) if (arm["batch_size"] == largest) == full] for full in (0, 1)]
    mean = {measure: [float(np.mean(np.array(each, float))) for each in to[measure]] for measure in to}

    ends = [float(np.mean(np.array(end, float))) for end in results["comparison"]["end"]]

    def fewest(group: list[int], measure: str) -> int:
        """The best arm of a group; where none reached the goal, the one that ended highest."""
        return min(group, key=lambda arm: (np.nan_to_num(mean[measure][arm], nan=np.inf), -ends[arm]))

    small, large = (fewest(group, "examples") for group in groups)
    reach = f"{goal:g} % test accuracy"
    names = [arms[arm]["name"] for arm in (small, large)]
    if not np.isfinite(mean["examples"][small]):
        return f"Not every network reached {reach} with {names[0]}, so there is nothing to compare."
    if np.min(np.array(to["examples"][small], float)) == 0:
        return f"Some networks were at {reach} before their first step, so there is nothing to compare: raise --goals."
    reached = f"{names[0]} reached {reach} after {tables.number(mean['examples'][small])} examples".capitalize()
    if not np.isfinite(mean["examples"][large]):
        seen = np.max(arms[large]["examples"][-1])
        return f"{reached}; {names[1]} did not with every network, after {tables.number(seen)} examples."
    ratios = np.array(to["examples"][large], float) / np.array(to["examples"][small], float)
    said = (
        f"{reached}, {names[1]} after {tables.number(mean['examples'][large])}: {tables.number(ratios.mean())} times as"
        f" many ({tables.number(ratios.min())} to {tables.number(ratios.max())} over the networks)"
    )
    if not fair(results):
        return (
            f"{said}, and {tables.number(mean['seconds'][large] / mean['seconds'][small])} times the seconds, though in"
            f" {tables.number(mean['steps'][large])} careful steps instead of {tables.number(mean['steps'][small])}"
            " drunk ones."
        )
    quick, quick_large = (fewest(group, "seconds") for group in groups)
    short, short_large = (fewest(group, "passes") for group in groups)
    seconds = mean["seconds"][quick_large] / mean["seconds"][quick]
    return (
        f"{said}. In seconds the quickest full batch, {arms[quick_large]['name']}, took {tables.number(seconds)} times"
        f" as long as {arms[quick]['name']}. Counted in passes, as on a machine that takes any number of examples at"
        f" once, {arms[short_large]['name']} needed {tables.number(mean['passes'][short_large])} and"
        f" {arms[short]['name']} {tables.number(mean['passes'][short])}."
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


def style(results: script.Record, index: int) -> tuple[str, str]:
    """Colour and line of an arm: by its batch size, or where there are several rules by both."""
    if not fair(results):
        return drawing.STYLES[index % len(drawing.STYLES)]
    arm = results["arms"][index]
    sizes = sorted({arm["batch_size"] for arm in results["arms"]}, reverse=True)
    line = ("-", "--", "-.", ":")[sizes.index(arm["batch_size"]) % 4]
    return drawing.STYLES[list(RULES).index(arm["rule"]) % len(drawing.STYLES)][0], line


def draw_curves(results: script.Record, path: Path) -> Path:
    """Mean over the networks as a line, the lowest and highest of them as a band."""
    seeds, several = len(results["comparison"]["end"][0]), fair(results)
    measures = ("examples", "passes", "seconds")
    figure, axes = plt.subplots(
        2, 3, figsize=(12, 8 if several else 7), layout="constrained", sharex="col", sharey="row"
    )
    for index, arm in enumerate(results["arms"]):
        colour, line = style(results, index)
        for column, measure in enumerate(measures):
            for row, (name, scale) in enumerate((("test_cost", 1), ("test_accuracy", 100))):
                curves = scale * np.array(arm[name], float)[1:]
                along = np.array(arm[measure], float).reshape(len(curves) + 1, -1)[1:].mean(axis=1)
                drawing.band(axes[row, column], along, curves, line, color=colour, label=arm["name"])
    steps = "gradients, values and products, one after the other" if several else "steps taken"
    for column, what in enumerate(("examples looked at", steps, f"seconds of training, {seeds} networks")):
        axes[1, column].set(xscale="log", xlabel=what)
        for goal in results["goals"]:
            axes[1, column].axhline(goal, color="grey", linewidth=0.8, linestyle=":")
    axes[0, 0].set(yscale="log", ylabel="cost on the test images")
    highest = 100 * max(np.max(np.array(arm["test_accuracy"], float)) for arm in results["arms"])
    seen = (max(0, highest - 27), highest + 2) if several else (0, 100)
    axes[1, 0].set(ylabel="accuracy on the test images (%)", ylim=seen)
    for each in axes.flat:
        each.grid(alpha=0.3)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3 if several else 4)
    figure.suptitle(f"The same {seeds} networks rolling downhill (line: mean, band: lowest to highest)")
    return drawing.save_figure(figure, path)


def draw_tuning(results: script.Record, path: Path) -> Path:
    """Held-out accuracy against the rate: a line for each arm that has nothing else, points where it has."""
    figure, axes = plt.subplots(figsize=(7, 4.5 if not fair(results) else 6.5), layout="constrained")
    for index, (arm, row) in enumerate(zip(results["arms"], results["tuning"], strict=True)):
        colour, line = style(results, index)
        tried, accuracy = np.array(row["tried"], float), np.array(row["accuracy"], float)
        choice = {"color": colour, "label": arm["name"], "marker": "o", "markersize": 4}
        if tried.shape[1] == 1:
            drawing.band(axes, tried[:, 0], accuracy, line, **choice)
        else:
            axes.plot(tried[:, 0], accuracy.mean(axis=1), linestyle="none", **choice)
    axes.set(
        xscale="log",
        xlabel="learning rate, or radius",
        ylabel="accuracy on held-out images (%)",
        title="What was tried for each arm; the legend names the best",
    )
    rates = sorted({tried[0] for row in results["tuning"] for tried in row["tried"] if len(tried) == 1})
    if not fair(results):
        axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
        axes.set_xticks([], minor=True)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8 if fair(results) else None)
    return drawing.save_figure(figure, path)
