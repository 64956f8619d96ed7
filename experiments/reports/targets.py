"""What the programs are on accelerators: tables, and a picture of how long a step takes at least."""

from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

from experiments.common import drawing, script, tables
from experiments.common.drawing import plt

BOUNDS = ("starting kernels", "memory", "arithmetic", "messages")
DRAWN = {
    "epoch-10": "batches of 10",
    "epoch-1000": "batches of 1,000",
    "epoch-full": "full batch",
    "population-10": "1,024 networks, batches of 10",
}


def print_parts(record: script.Record) -> None:
    """All that is printed while it runs."""
    results = record["results"]
    for name in results.get("accelerators", ()):
        print_accelerator(results, name)
    if "programs" in results:
        print_measured(results)
        for row in results["scripts"]:
            print_script(row)


def print_tables(record: script.Record) -> None:
    """What did not compile, and what was measured nowhere."""
    results = record["results"]
    if "rows" not in results:
        return
    failed = [row for row in results["rows"] if "failed" in row]
    print(f"\n{len(results['rows']) - len(failed)} of {len(results['rows'])} programs compile.")
    for row in failed:
        print(f"{row['accelerator']} {row['program']}: {row['failed']}")
    latency = results["latency"]
    print(
        "Times are projections from published figures, measured nowhere: what takes longest of starting the kernels,"
        "\nmoving the bytes, the arithmetic and the messages. (A message is assumed to take"
        f" {latency['gpu']:g} us between GPUs, {latency['tpu']:g} us between TPUs.)"
    )


def print_accelerator(results: script.Record, name: str) -> None:
    """A row for each program."""
    facts = results["accelerators"][name]
    chips = f"{facts['chips']} chips" if facts["chips"] > 1 else "one chip"
    print(
        f"\n{name}: {chips}, each {facts['operations'] / 1e12:.3g} million million float32 operations a second,"
        f" {facts['memory'] / 1e9:.0f} GB at {facts['bandwidth'] / 1e9:,.0f} GB/s ({facts['source']})\n"
    )
    rows = [row for row in results["rows"] if row["accelerator"] == name]
    tables.table(
        [
            "program",
            "memory, MB",
            "kernels",
            "messages",
            "bytes sent",
            "MB moved",
            "operations",
            "us at least",
            "bound by",
        ],
        [[row["program"], *(_cells(row) if "failed" not in row else ["does not compile"])] for row in rows],
    )


def _cells(row: script.Record) -> list[str]:
    longest = max(BOUNDS, key=row["bounds"].__getitem__)
    return [
        f"{row['memory'] / 1e6:,.1f}",
        f"{row['kernels']:,.1f}",
        f"{row['messages']:.1f}",
        f"{row['sent']:,.0f}",
        f"{row['moved'] / 1e6:,.3g}",
        tables.number(row["operations"]),
        f"{1e6 * row['bounds'][longest]:,.3g}",
        longest,
    ]


def print_measured(results: script.Record) -> None:
    """A row for each program that was run."""
    print("\nOn this device, microseconds a step or a pass (median, least and most of five), beside the projection:\n")
    rows = []
    for row in results["programs"]:
        median, least, most = (1e6 * seconds for seconds in row["seconds"])
        bounds = row.get("bounds")
        foretold = f"{1e6 * max(bounds.values()):,.3g}" if bounds else "none"
        rows.append(
            [row["program"], f"{median:,.1f} ({least:,.1f} to {most:,.1f})", f"{row['kernels']:,.1f}", foretold]
        )
    tables.table(["program", "us", "kernels", "projected"], rows)


def print_script(row: script.Record) -> None:
    """What a script took, and how far its numbers are from those of a CPU."""
    if row["failed"]:
        print(f"{row['script']}: failed: {row['failed']}")
        return
    took = [f"{row['seconds']:.1f} s"] if "seconds" in row else []
    if "difference" in row:
        took.append(f"in a small form {row['small']:.1f} s, {row['difference']:.1e} from a CPU at most")
    print(f"{row['script']}: {'; '.join(took)}")
    for line in row.get("said", ()):
        print(f"    {line}")


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws how long a step takes at least on each accelerator, and what decides that."""
    rows = [row for row in record["results"].get("rows", ()) if row["program"] in DRAWN and "failed" not in row]
    if not rows:
        return []
    names = list(dict.fromkeys(row["accelerator"] for row in rows))
    drawn = [name for name in DRAWN if any(row["program"] == name for row in rows)]
    figure, panels = plt.subplots(
        1, len(drawn), figsize=(3.2 * len(drawn) + 1, 1.2 + 0.28 * len(names)), layout="constrained", squeeze=False,
        sharey=True,
    )  # fmt: skip
    for axes, program in zip(panels[0], drawn, strict=True):
        for row in rows:
            if row["program"] == program:
                place = names.index(row["accelerator"])
                longest = max(BOUNDS, key=row["bounds"].__getitem__)
                for (colour, _), bound in zip(drawing.STYLES[1:], BOUNDS, strict=False):
                    time = 1e6 * row["bounds"][bound]
                    axes.plot(time, place, "o" if bound == longest else ".", color=colour)
        axes.set(xscale="log", title=DRAWN[program], xlabel="µs a step, at least")
        axes.grid(alpha=0.3)
    panels[0][0].set_yticks(np.arange(len(names)), names)
    panels[0][0].invert_yaxis()
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=bound)
        for (colour, _), bound in zip(drawing.STYLES[1:], BOUNDS, strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    figure.suptitle(
        "How long one step takes at least: the longest of four, the large dot. A projection, measured nowhere",
        fontsize=10,
    )
    return [drawing.save_figure(figure, folder / "targets.png")]
