"""What neurons see: tables and pictures."""

from pathlib import Path

import numpy as np

from experiments.common import script, tables
from experiments.reports import what_neurons_see_pictures as pictures

LAYERS = ("first", "second")


def print_tables(record: script.Record) -> None:
    """In the order of the pictures."""
    results = record["results"]
    levels = results["levels"]
    print(about_weights(results["weights"]))
    for name, layer in zip(LAYERS, results["layers"], strict=False):
        print_favourites(name, layer, levels["top"])
    print_answers(results["noise"], levels)
    if results["memory"]:
        print_memory(results["memory"], levels["half"])


def print_favourites(name: str, layer: script.Record, top: int) -> None:
    """What excites the neurons of a layer."""
    print(f"\nThe {name} hidden layer: mean activation, and what the {top} test images show that excite it most\n")
    tables.table(
        ["neuron", "mean", "digits (share)"],
        [[f"{i}", f"{neuron['mean']:.2f}", favourites(neuron, layer)] for i, neuron in enumerate(layer["neurons"])],
    )
    purest = 100 * np.mean([max(neuron["top_digits"]) for neuron in layer["neurons"]])
    print(f"\nOn average {purest:.0f} % of a neuron's favourites show the same digit.")


def print_answers(noise: dict[str, script.Record], levels: script.Record) -> None:
    """What the network says to each kind of image, and how sure it is."""
    print("\nWhat the network says (% of the images), and how bright its brightest output is\n")
    digits = [str(digit) for digit in range(len(noise["real digits"]["said"]))]
    tables.table(
        ["", *digits, "brightest", f"above {levels['sure']:g}", f"below {levels['unsure']:g}"],
        [
            [
                kind,
                *(f"{100 * share:.1f}" for share in found["said"]),
                f"{found['brightest']:.2f} ± {found['deviation']:.2f}",
                f"{100 * found['sure']:.1f} %",
                f"{100 * found['unsure']:.1f} %",
            ]
            for kind, found in noise.items()
        ],
    )


def print_memory(memory: list[script.Record], half: float) -> None:
    """How well each number of images was learnt by heart."""
    last = int(memory[0]["true"]["epochs"][-1])
    shown = sorted({epoch for epoch in (1, 10, 100) if epoch < last} | {last})
    print("\nAccuracy (%), mean ± standard deviation over the networks, on the images that were learnt, after epochs\n")
    tables.table(
        ["images, labels", *map(str, shown), f"epochs to {half:g} %", "test images at the end"],
        [
            [
                f"{row['images']:,} {labels}",
                *(tables.percent(row[labels]["train_accuracy"][epoch]) for epoch in shown),
                tables.spread(row[labels]["epochs_to_half"]),
                tables.percent(row[labels]["test_accuracy"]),
            ]
            for row in memory
            for labels in ("true", "shuffled")
        ],
    )


def about_weights(weights: script.Record) -> str:
    """What training did to the first layer, in words."""
    likeness = {
        when: f"{round(weights[when]['likeness'], 2) + 0:.2f}" for when in ("before", "after") if when in weights
    }
    if "before" not in likeness:
        return f"First layer: neighbouring pixels have weights that correlate by {likeness['after']}."
    return (
        f"First layer: weights of neighbouring pixels correlate by {likeness['before']} before training"
        f" and by {likeness['after']} after it. {weights['dark_pixels']} pixels are dark in every training image:"
        f" {weights['dark_kept']:,} of their {weights['dark_weights']:,} weights are still what they were."
    )


def favourites(neuron: script.Record, layer: script.Record) -> str:
    """The most frequent digits among the images that excite a neuron most."""
    shares = np.array(neuron["top_digits"])
    return ", ".join(
        f"{layer['digits'][digit]} ({100 * shares[digit]:.0f} %)"
        for digit in np.argsort(-shares, kind="stable")[:3]
        if shares[digit] > 0
    )


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws weights, the images that excite the neurons of each hidden layer, answers to noise, learning by heart."""
    results = record["results"]
    drawn = [pictures.draw_patterns(results["weights"], folder / "patterns.png")]
    for number, (name, layer) in enumerate(zip(LAYERS, results["layers"], strict=False), start=1):
        weights = results["weights"]["after"]["weights"] if number == 1 else None
        drawn.append(pictures.draw_exciting(name, layer, weights, folder / f"excite_{number}.png"))
    drawn.append(pictures.draw_answers(results["noise"], results["levels"]["sure"], folder / "noise.png"))
    if results["memory"]:
        drawn.append(pictures.draw_memory(results["memory"], folder / "shuffled_labels.png"))
    return drawn
