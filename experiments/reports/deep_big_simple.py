"""A big network trained on distorted digits: its rows, its error, the distortions, the mistakes that are left."""

from pathlib import Path

import numpy as np

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt


def print_training(record: script.Record) -> None:
    """What a run prints while it trains."""
    results = record["results"]
    print(beginning(results))
    for index in range(len(results["history"]["epochs"])):
        print(row(results["history"], index))


def beginning(results: script.Record) -> str:
    """The network and the head of the table of its training."""
    return (
        f"{tables.network(results['sizes'])}, {results['images']:,} images\n"
        "epoch  train cost    error  held-out error  seconds"
    )


def row(history: script.Record, index: int) -> str:
    """One evaluation; without held-out images their error is left out."""
    names = ("epochs", "train_cost", "train_accuracy", "test_accuracy", "seconds")
    epochs, cost, *accuracies, seconds = (float(np.array(history[name], float)[index]) for name in names)
    train, held_out = (100 - 100 * accuracy for accuracy in accuracies)
    judged = f"{held_out:12.2f} %" if np.isfinite(held_out) else " " * 14
    return f"{epochs:5g}  {cost:10.5f}  {train:5.2f} %  {judged}  {seconds:7.1f}"


def print_tables(record: script.Record) -> None:
    """Error, time, speed."""
    results = record["results"]
    low, high = results["interval"]
    print(
        f"\n{results['wrong']} of {results['of']:,} {results['judged']} images are taken for something else: error"
        f" {results['error']:.2f} % (95 % confidence {low:.2f} to {high:.2f} %); the second guess is right for"
        f" {results['second_right']} of them."
    )
    print(
        f"{results['seconds']:.0f} s of training, {tables.number(results['images_per_second'])} images a second,"
        f" {results['operations_per_second'] / 1e9:.0f} billion operations a second: {100 * results['share']:.0f} % of"
        " this device's own matrix product, distorting included in the time but not in the operations."
    )


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws digits and their distortions, the error while it trained, the mistakes that are left."""
    results = record["results"]
    drawn = [draw_samples(np.array(results["samples"]), folder / "distortions.png")]
    drawn.append(draw_history(results, folder / "history.png"))
    if results.get("mistakes"):
        drawn.append(draw_mistakes(results, folder / "mistakes.png"))
    return drawn


def draw_samples(samples: np.ndarray, path: Path) -> Path:
    """A row for each class, the image as it is to the left."""
    figure, grid = plt.subplots(
        *samples.shape[:2],
        figsize=(0.8 * samples.shape[1], 0.82 * len(samples) + 0.5),
        layout="constrained",
        squeeze=False,
    )
    for axes, pixels in zip(grid.flat, samples.reshape(-1, samples.shape[-1]), strict=True):
        axes.imshow(drawing.picture(pixels), cmap="gray_r", vmin=0, vmax=255)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes in grid[:, 0]:
        axes.spines[:].set(visible=True, color="#0072b2", linewidth=2)
    figure.suptitle("Framed: the image as it is. To its right: distorted as in training, nine times", fontsize=10)
    return drawing.save_figure(figure, path)


def draw_history(results: script.Record, path: Path) -> Path:
    """Error against epochs."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    history = results["history"]
    epochs = np.array(history["epochs"])[1:]
    for name, label, colour, style in (
        ("train", "training images, not distorted", "#0072b2", "-"),
        ("test", "held-out images", "#d55e00", "--"),
    ):
        error = 100 - 100 * np.array(history[f"{name}_accuracy"], float)[1:]
        if np.isfinite(error).any():
            axes.plot(epochs, np.maximum(error, 1e-3), style, color=colour, label=label)
    if "error" in results:
        low, high = results["interval"]
        error = results["error"]
        axes.errorbar(
            epochs[-1], error, [[error - low], [high - error]], fmt="o", color="black", capsize=4,
            label=f"{results['judged']} images, {error:.2f} % ({low:.2f} to {high:.2f} %)",
        )  # fmt: skip
    axes.set(xlabel="epochs", ylabel="error (%)", yscale="log", title="-".join(map(str, results["sizes"])))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:.1g}")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    return drawing.save_figure(figure, path)


def draw_mistakes(results: script.Record, path: Path) -> Path:
    """What is left: the label, and the two best guesses."""
    mistakes = results["mistakes"]
    titles = ["{}: {}, {}".format(mistake["label"], *mistake["guesses"]) for mistake in mistakes]
    shown = f"the {len(mistakes)} surest of " if len(mistakes) < results["wrong"] else ""
    title = f"What it is: first guess, second guess ({shown}{results['wrong']} mistakes)"
    return drawing.digits([mistake["pixels"] for mistake in mistakes], titles, title, path)
