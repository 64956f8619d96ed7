"""The benchmark: tables of each part as it is measured, all programs next to jaxnet, and a picture of that."""

from collections.abc import Sequence
from pathlib import Path

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt


def print_parts(record: script.Record) -> None:
    """What a run prints while it measures, part by part."""
    results = record["results"]
    print_machine(results)
    if "speed" in results:
        print_speed(results)
    if "train" in results:
        print_trainings(results)
    for part, print_part in (
        ("race", print_race),
        ("compile", print_compile),
        ("populations", print_populations),
        ("growth", print_growth),
        ("precision", print_precision),
    ):
        if part in results:
            print_part(results)


def print_machine(results: script.Record) -> None:
    """Who is left out, and what the machine can do."""
    for label, needs in results["left_out"].items():
        print(f"left out: {label}, for there is no {needs}")
    machine = results["machine"]
    print(
        f"{results['cores']} cores; a matrix product reaches {machine['operations'] / 1e9:.0f} billion operations a"
        f" second, a copy {machine['bytes'] / 1e9:.0f} GB/s",
        flush=True,
    )


def print_speed(results: script.Record) -> None:
    """Threads, the head of the table, and the rows that there are."""
    programs = results["programs"]
    print("threads: " + ", ".join(f"{programs.get(name, name)} {k}" for name, k in results["threads"].items()))
    print("\nMicroseconds a step: median of the runs in turn. In brackets: how many times as long as jaxnet.\n")
    heads = [f"{label:>22}" for label in programs.values()]
    print("  ".join([f"{'network':14}", f"{'batch':>6}", *heads, "of the roofline"]), flush=True)
    for row in results["speed"]:
        print_speed_row(results, row)


def print_speed_row(results: script.Record, row: script.Record) -> None:
    """One network and batch size."""
    cells = [f"{1e6 * row['seconds'][name][0]:,.1f} ({row['ratio'][name]:.2f})" for name in results["programs"]]
    begin = [f"{row['network']:14}", f"{batch_name(row['batch_size'], results['n']):>6}"]
    print("  ".join([*begin, *(f"{cell:>22}" for cell in cells), f"{row['share']:15.0%}"]), flush=True)


def print_trainings(results: script.Record) -> None:
    """The head of the table, and the rows that there are."""
    programs = results["programs"]
    print("\nMilliseconds an epoch of a whole training, with cost and accuracy over all training and test images after")
    print("it: median of the runs in turn. In brackets: how many times as long as jaxnet.train.\n")
    print("  ".join([f"{'network':14}", f"{'batch':>6}", *(f"{label:>22}" for label in programs.values())]), flush=True)
    for row in results["train"]:
        print_training(results, row)


def print_training(results: script.Record, row: script.Record) -> None:
    """One network and batch size."""
    cells = [f"{1e3 * row['seconds'][name][0]:,.1f} ({row['ratio'][name]:.2f})" for name in results["programs"]]
    begin = [f"{row['network']:14}", f"{batch_name(row['batch_size'], results['n']):>6}"]
    print("  ".join([*begin, *(f"{cell:>22}" for cell in cells)]), flush=True)


def batch_name(batch_size: int, n: int) -> str:
    """The batch size as the option names it."""
    return "full" if batch_size == n else f"{batch_size:,}"


def print_race(results: script.Record) -> None:
    """A row for each entrant, and the fastest of each program next to jaxnet."""
    goal, programs = results["goal"], results["programs"]
    print(f"\nSeconds from the start of a process to {goal:g} % of the test images, least to most.\n")
    best: dict[tuple[str, bool], float] = {}
    lines = []
    for row in results["race"]:
        reached = row["accuracy"] >= goal
        if reached:
            key = row["program"], row["kept"]
            best[key] = min(best.get(key, float("inf")), row["seconds"][0])
        lines.append(
            [
                programs[row["program"]] + (", compiled before" if row["kept"] else ""),
                f"{row['batch_size']:,}",
                f"{row['rate']:g}",
                f"{row['epochs']}" if reached else "not reached",
                in_words(row["seconds"]),
            ]
        )
    tables.table(["program", "batch", "rate", "epochs", "seconds"], lines)
    for (name, _), seconds in best.items():
        if name != "jaxnet" and ("jaxnet", False) in best:
            print(
                f"{programs[name]} takes {seconds / best['jaxnet', False]:.2f} times as long as jaxnet,"
                f" {seconds / best['jaxnet', True]:.2f} times as long as jaxnet that was compiled before"
            )


def in_words(values: Sequence[float]) -> str:
    """Median, least and most."""
    median, least, most = values
    return f"{median:.2f} ({least:.2f} to {most:.2f})"


def print_compile(results: script.Record) -> None:
    """One sentence."""
    print(
        "\nCompiling the default network: {new[0]:.2f} s ({new[1]:.2f} to {new[2]:.2f}); {kept[0]:.2f} s ({kept[1]:.2f}"
        " to {kept[2]:.2f}) where an earlier run has kept what it compiled.".format(**results["compile"])
    )


def print_populations(results: script.Record) -> None:
    """A row for each number of networks."""
    rows, n = results["populations"], results["n"]
    batch_size = min(10, n)
    print(f"\nMany networks at once, 784-16-16-10, batches of {batch_size}.\n")
    lines = []
    for row in rows:
        number, micro = row["networks"], 1e6 * row["seconds"][0]
        figures = [f"{micro:,.1f}", f"{micro / number:,.2f}", f"{row['ratio']:.2f}", f"{row['share']:.0%}"]
        lines.append([f"{number:,}", *figures])
    tables.table(
        ["networks", "us a step", "us a step and network", "single runs / all at once", "of the roofline"], lines
    )
    if "pytorch" in rows[-1]:
        steps = 30 * n / batch_size
        print(
            f"30 epochs of {n:,} images: {steps * rows[-1]['seconds'][0]:,.0f} s for {rows[-1]['networks']:,} networks"
            f" here, {steps * rows[-1]['pytorch'][0]:,.0f} s for one in PyTorch"
        )


def print_growth(results: script.Record) -> None:
    """A row for each case."""
    print("\nWhat grows with what: from 784-16-16-10, batches of 10, one network, one thing at a time.\n")
    tables.table(
        ["", "us a step", "us an example and network", "data MB", "parameters and work MB"],
        [
            [
                f"{row['axis']} {row['value']:,}",
                f"{1e6 * row['seconds'][0]:,.1f}",
                f"{1e6 * row['seconds'][0] / row['batch_size'] / row['networks']:,.2f}",
                f"{row['data_bytes'] / 2**20:,.1f}",
                f"{row['work_bytes'] / 2**20:,.2f}",
            ]
            for row in results["growth"]
        ],
    )


def print_precision(results: script.Record) -> None:
    """A row for each kind of product."""
    print("\nThe default network, 30 epochs, with products in\n")
    tables.table(
        ["", "seconds", "test accuracy (%)"],
        [
            [row["precision"], f"{row['seconds']:.2f}", f"{100 * row['test_accuracy']:.2f}"]
            for row in results["precision"]
        ],
    )


def print_tables(record: script.Record) -> None:
    """All networks and batch sizes together: every program next to jaxnet, and what its first run takes longer."""
    rows, programs = record["results"].get("speed"), record["results"]["programs"]
    if not rows:
        return
    print(
        "\nOver all networks and batches, median (least to most): how many times as long as jaxnet a step takes, and"
        " how many\nseconds longer a first run takes, to compile and to warm up, which is not in the times above.\n"
    )
    tables.table(
        ["", "times as long", "seconds longer at first"],
        [
            [label, *(in_words(tables.middle([row[what][name] for row in rows])) for what in ("ratio", "warm_up"))]
            for name, label in programs.items()
        ],
    )


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws how many times as long as jaxnet every program takes."""
    results = record["results"]
    if "speed" not in results:
        return []
    rows = results["speed"]
    networks = list(dict.fromkeys(row["network"] for row in rows))
    others = {name: label for name, label in results["programs"].items() if name != "jaxnet"}
    height = -(-len(networks) // 2)
    figure, panels = plt.subplots(
        height, min(2, len(networks)), figsize=(12, 4 * height), layout="constrained", squeeze=False, sharey=True
    )
    for axes in panels.flat[len(networks) :]:
        axes.axis("off")
    width = 0.8 / max(len(others), 1)
    for axes, network in zip(panels.flat, networks, strict=False):
        own = [row for row in rows if row["network"] == network]
        for place, ((name, label), (colour, _)) in enumerate(zip(others.items(), drawing.STYLES, strict=False)):
            positions = [x + (place - (len(others) - 1) / 2) * width for x in range(len(own))]
            heights = [row["ratio"][name] - 1 for row in own]
            axes.bar(positions, heights, width, bottom=1, color=colour, label=label)
        axes.axhline(1, color="black", linewidth=1)
        axes.set_yscale("log")
        axes.set_title(network, fontsize=10)
        axes.set_xticks(range(len(own)), [batch_name(row["batch_size"], results["n"]) for row in own])
        axes.set_xlabel("batch size")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    for axes in panels[:, 0]:
        axes.set_ylabel("time, jaxnet = 1")
    panels.flat[0].legend(fontsize=8)
    machine = f"{results['cores']} cores, {record['device']['kind']}"
    figure.suptitle(f"How many times as long as jaxnet a step takes ({machine})", fontsize=11)
    return [drawing.save_figure(figure, folder / "speed.png")]
