"""What more devices bring: two tables, a picture."""

from pathlib import Path

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt


def print_tables(record: script.Record) -> None:
    """What was measured, and the projection."""
    print_measured(record)
    print_projection(record)


def print_measured(record: script.Record) -> None:
    """A row for each kind of scaling and number of devices."""
    rows = record["results"]["rows"]
    print(
        f"\nMicroseconds a step, median of {record['config']['repeats']},"
        " and how much work is done in the time of one device's.\n"
    )
    lines = []
    for row in rows:
        median, least, most = (1e6 * seconds for seconds in row["seconds"])
        lines.append(
            [
                row["kind"],
                str(row["devices"]),
                f"{row['batch_size']:,}",
                f"{row['networks']}",
                f"{median:,.0f} ({least:,.0f} to {most:,.0f})",
                f"{speedup(row, rows):.2f}",
                f"{row['bytes']:,}",
            ]
        )
    tables.table(["", "devices", "batch", "networks", "us a step", "times the work", "bytes a step"], lines)


def speedup(row: script.Record, rows: list[script.Record]) -> float:
    """How many times the work of one device these devices do in the same time."""
    first = next(each for each in rows if each["kind"] == row["kind"])
    work = row["batch_size"] * row["networks"] / (first["batch_size"] * first["networks"])
    return work * first["seconds"][0] / row["seconds"][0]


def print_projection(record: script.Record) -> None:
    """A row for each number of accelerators."""
    config = record["config"]
    print(
        f"\nA projection, measured nowhere: accelerators that reach {config['operations']:g} million million operations"
        f" a second,\nsend {config['link']:g} GB/s, and need {config['latency']:g} us a message."
        " Populations have nothing to send.\n"
    )
    tables.table(
        ["accelerators", "travel us", "strong: times as fast", "weak: times the work"],
        [
            [f"{row['devices']}", f"{1e6 * row['travel']:,.1f}", f"{row['strong']:.2f}", f"{row['weak']:.2f}"]
            for row in record["results"]["projection"]
        ],
    )


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws how much more work is done by more devices."""
    rows = record["results"]["rows"]
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for kind, (colour, style) in zip(dict.fromkeys(row["kind"] for row in rows), drawing.STYLES, strict=False):
        own = [row for row in rows if row["kind"] == kind]
        numbers = [row["devices"] for row in own]
        axes.plot(numbers, [speedup(row, rows) for row in own], style, marker="o", color=colour, label=kind)
    most = max(row["devices"] for row in rows)
    axes.plot([1, most], [1, most], color="0.7", linewidth=1, label="as many times as devices")
    axes.set(xscale="log", yscale="log", xlabel="devices", ylabel="times the work of one device in the same time")
    axes.set_xticks(sorted({row["devices"] for row in rows}))
    axes.set_yticks([2.0**power for power in range(-2, most.bit_length())])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    axes.set_title(f"{'-'.join(map(str, record['results']['sizes']))}, {record['device']['kind']}", fontsize=10)
    return [drawing.save_figure(figure, folder / "scaling.png")]
