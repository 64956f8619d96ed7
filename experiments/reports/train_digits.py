"""A training: its rows, the confusion matrix, the worst mistakes, the first layer's weights."""

from pathlib import Path

import numpy as np

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt


def print_training(record: script.Record) -> None:
    """What a run prints while it trains."""
    results = record["results"]
    if "history" not in results:
        return
    print(beginning(results))
    for index in range(len(results["history"]["epochs"])):
        print(row(results["history"], index))
    print(ending(results))


def beginning(results: script.Record) -> str:
    """The network and the head of the table of its training."""
    return (
        f"{tables.network(results['sizes'])}, {results['images']:,} images\n"
        "epoch  train cost  accuracy   test cost  accuracy  seconds"
    )


def row(history: script.Record, index: int) -> str:
    """One evaluation."""
    at = {name: np.array(column, float)[index] for name, column in history.items() if np.ndim(column) > 0}
    return (
        f"{at['epochs']:5g}  {at['train_cost']:10.5f}  {100 * at['train_accuracy']:6.2f} %"
        f"  {at['test_cost']:10.5f}  {100 * at['test_accuracy']:6.2f} %  {at['seconds']:7.2f}"
    )


def ending(results: script.Record) -> str:
    """How long it took."""
    history = results["history"]
    return f"compiled in {history['compile_seconds']:.2f} s, trained in {history['seconds'][-1]:.2f} s"


def print_tables(record: script.Record) -> None:
    """The confusion matrix, the accuracy, and the digits that are never predicted."""
    results = record["results"]
    confusion = np.array(results["confusion"])
    digits = range(len(confusion))
    print("\nConfusion matrix: each row is what was shown, each column what the network said.\n")
    print("      " + " ".join(f"{digit:5d}" for digit in digits))
    for digit in digits:
        print(f"{digit:5d} " + " ".join(f"{number or '.':>5}" for number in confusion[digit]))
    print(f"\ntest accuracy {100 * results['test_accuracy']:.2f} % of {confusion.sum():,} images")
    for digit in results["never_predicted"]:
        print(f"the digit {digit} is never predicted: start from another --seed or with a smaller --rate")


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws what the record has: history, confusion matrix, worst mistakes, weights of the first layer."""
    results = record["results"]
    drawn = []
    if "history" in results:
        drawn.append(draw_history(results["history"], folder / "history.png"))
    if "confusion" in results:
        drawn.append(draw_confusion(np.array(results["confusion"]), folder / "confusion.png"))
        drawn.append(draw_weights(np.array(results["first_layer"]), folder / "first_layer.png"))
    if results.get("mistakes"):
        drawn.append(draw_mistakes(results["mistakes"], folder / "mistakes.png"))
    return drawn


def draw_history(history: script.Record, path: Path) -> Path:
    """Cost and accuracy against epochs, on the training and on the test images."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for examples, colour, style in (("train", "#0072b2", "-"), ("test", "#d55e00", "--")):
        left.plot(history["epochs"], history[f"{examples}_cost"], style, color=colour, label=examples)
        accuracy = 100 * np.array(history[f"{examples}_accuracy"], float)
        right.plot(
            history["epochs"], accuracy, style, color=colour, label=f"{examples}, {accuracy[-1]:.2f} % at the end"
        )
    left.set(xlabel="epochs", ylabel="cost", yscale="log", title="Cost")
    drawing.plain_logarithms(left.yaxis)
    right.set(xlabel="epochs", ylabel="accuracy (%)", title="Accuracy")
    if len(history["epochs"]) > 2:  # the first epoch would flatten all others
        right.set_ylim(5 * (100 * np.min([history["train_accuracy"][1:], history["test_accuracy"][1:]]) // 5), 100)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    return drawing.save_figure(figure, path)


def draw_confusion(confusion: np.ndarray, path: Path) -> Path:
    """How often each digit was taken for each."""
    figure, axes = plt.subplots(figsize=(6.5, 6), layout="constrained")
    off = np.where(np.eye(len(confusion), dtype=bool), 0, confusion)
    axes.imshow(off, cmap="Oranges", vmax=max(1, off.max()))
    for (row, column), number in np.ndenumerate(confusion):
        right = row == column
        dark = not right and number > 0.6 * off.max()
        colour = "#0072b2" if right else "white" if dark else "black"
        axes.text(
            column,
            row,
            number or "",
            ha="center",
            va="center",
            color=colour,
            weight="bold" if right else "normal",
            clip_on=True,  # the layout need not measure it
        )
    axes.set(
        xlabel="what the network said", ylabel="what was shown", title="Test images: right in blue, mistakes in orange"
    )
    axes.set(xticks=range(len(confusion)), yticks=range(len(confusion)))
    return drawing.save_figure(figure, path)


def draw_mistakes(mistakes: list[script.Record], path: Path) -> Path:
    """The images, each with its label and what the network said."""
    titles = ["{label}, said {predicted} ({activation:.2f})".format(**mistake) for mistake in mistakes]
    title = "The worst mistakes (activation of the wrong neuron in brackets)"
    return drawing.digits([mistake["pixels"] for mistake in mistakes], titles, title, path)


def draw_weights(weights: np.ndarray, path: Path, most: int = 64) -> Path:
    """A picture for each neuron."""
    title = "First layer: blue pixels excite the neuron, red ones silence it"
    figure, axes = drawing.tiles(min(len(weights), most), title, below=0.7)
    scale = drawing.strongest(weights[:most])
    image = None
    for neuron, (each, numbers) in enumerate(zip(axes, weights, strict=False)):
        image = drawing.pattern(each, numbers, scale)
        each.set_title(f"neuron {neuron}", fontsize=9)
    if image is not None:
        height = figure.get_figheight()
        bar = figure.add_axes((0.1, 0.45 / height, 0.8, 0.12 / height))
        figure.colorbar(image, cax=bar, orientation="horizontal", label="weight", extend="both")
    return drawing.save_figure(figure, path)
