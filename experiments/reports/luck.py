"""A thousand networks: how many get there, whose luck holds, what start and order decide, and lost digits."""

import math
from pathlib import Path

import numpy as np

from experiments.common import script, tables
from experiments.reports.luck_pictures import draw, told, variance_shares

QUANTILES = {
    "least": 0.0, "1 %": 0.01, "5 %": 0.05, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "95 %": 0.95, "99 %": 0.99,
    "most": 1.0,
}  # fmt: skip


def part(name: str, found: script.Record) -> str:
    """What a run says after each of its parts."""
    best, losing = np.max(found["test"]), int(np.sum(np.any(found["loses"], axis=1)))
    return f"{name}: {tables.percent(found['test'])} % of the test images, best {best:.2f} %, {losing} lose a digit"


def print_tables(record: script.Record) -> None:
    """How many get there, the halves of the test images, start and order, lost digits, and all in one sentence."""
    results = record["results"]
    print_many(results)
    print_halves(results["halves"])
    if results["crossed"]:
        print_crossed(results["crossed"])
    if results["lost"]:
        print_lost(results["lost"])
    print(f"\n{conclusion(results)}")


def print_many(results: script.Record) -> None:
    """Quantiles, the mean, lost digits, and the share that reaches the goal."""
    recipe, many, goal = results["recipe"], results["many"], results["goal"]
    print(
        f"\n{len(many['test']):,} networks of the lecture from as many starts: batches of {recipe['batch_size']}, rate"
        f" {recipe['rate']:g} falling to zero, {recipe['epochs']} epochs, {results['images']:,} images\n"
    )
    levels = list(QUANTILES.values())
    tables.table(
        ["right (%)", "mean", *QUANTILES],
        [
            [f"{name} images", tables.percent(many[name]), *map("{:.2f}".format, np.quantile(many[name], levels))]
            for name in ("test", "train")
        ],
    )
    print(f"\n{in_percent(many['reach'])} read {goal:g} % or more of the test images: {one_in(many['reach'])}.")
    digits = [f"{digit} ({number} times)" for digit, number in enumerate(many["each"]) if number]
    which = f": {', '.join(digits)}" if digits else ""
    print(f"{in_percent(many['losing'])} lose a digit, and say it of no test image{which}.")
    if many["orders_differ"] is not None:
        print(
            f"F test of whether the order of the examples makes networks alike: p = {many['orders_differ']:.2g}"
            " (with a small p, both intervals are too narrow)."
        )


def in_percent(share: list[float]) -> str:
    """A share, and its interval."""
    value, low, high = (tables.number(100 * each) for each in share)
    return f"{value} % ({low} to {high} %)"


def one_in(reach: list[float]) -> str:
    """How many networks one expects to train to see one of them."""
    share, low, high = reach
    if share == 0:
        return (
            f"with 95 % confidence at most one in {math.floor(1 / high):,}, so that many one expects to train at least"
        )
    one, least, most = (tables.number(1 / each) for each in (share, high, low))
    return f"one expects to train {one} networks to see one ({least} to {most})"


def print_halves(halves: script.Record) -> None:
    """Whether luck on one half of the test images holds on the other."""
    if not halves["leads"]:
        print("\nToo few networks keep all digits to tell whether their luck holds on other images.")
        return
    reliability = math.nan if halves["reliability"] is None else halves["reliability"]
    print(
        "\nAccuracies of the networks that keep all digits, correlations with their intervals\n"
        f"  even- with odd-numbered test images: {told(halves['r'])}\n"
        f"  the test images with as many others like them, estimated from that: {reliability:.2f}\n"
        f"  training with test images: {told(halves['train_with_test'])}\n\n"
        "Chosen by one half of the test images, and read on the other (points)\n"
    )
    tables.table(
        ["best of", "leads the mean by", "on the other half by", "stays"],
        [
            [f"{lead['of']:,}", f"{lead['chosen']:+.2f}", f"{lead['other']:+.2f}", f"{100 * stays(lead):.0f} %"]
            for lead in halves["leads"]
        ],
    )


def stays(lead: script.Record) -> float:
    """The part of a lead that is there on other images too."""
    return lead["other"] / lead["chosen"] if lead["chosen"] else math.nan


def print_crossed(crossed: script.Record) -> None:
    """What start, order and the rest are of the variance."""
    starts, orders = np.shape(crossed["table"])
    print(f"\n{starts} starts, each in the same {orders} orders of the examples\n")
    left_out = crossed["keeps"].count(False)
    if left_out:
        print(f"Starts left out, since they lose a digit in one order at least: {left_out}.")
    if crossed["rest"] is None:
        print("Too few are left to tell start and order apart.")
        return
    shares, rows = [f"{100 * share:.0f} %" for share in variance_shares(crossed)], []
    for name, share in zip(("start", "order"), shares, strict=False):
        found = crossed[name]
        p = "" if found["p"] is None else f"{found['p']:.2g}"
        deviation = f"{max(0, found['variance']) ** 0.5:.3f}"
        rows.append([name, f"{found['variance']:.4f}", deviation, share, told(found["times_rest"]), p])
    rest = crossed["rest"]
    rows.append(["the rest", f"{rest:.4f}", f"{rest**0.5:.3f}", shares[2], "", ""])
    tables.table(["test accuracy", "variance", "deviation", "share", "times the rest", "p"], rows)
    print("The rest is what a start and an order do together: the same two make the same network, to the last bit.")
    if min(crossed[name]["variance"] for name in ("start", "order")) < 0:
        print("An estimate below zero says that none was found; as a share it counts as zero.")


def print_lost(cells: list[script.Record]) -> None:
    """How many lose a digit by the published recipe, for each initial scale and batch size."""
    print(f"\nBy the recipe published with the lecture, {len(cells[0]['test'])} networks each\n")
    tables.table(
        ["initial weights", "batch size", "lose a digit", "test images (%)"],
        [
            [
                f"normal, deviation {cell['gain']:g}",
                f"{cell['batch_size']}",
                in_percent(cell["losing"]),
                tables.percent(cell["test"]),
            ]
            for cell in cells
        ],
    )


def conclusion(results: script.Record) -> str:
    """From the numbers, in one sentence."""
    (share, _, high), n, leads = results["many"]["reach"], len(results["many"]["test"]), results["halves"]["leads"]
    goal = f"{results['goal']:g} %"
    parts = [
        f"One in {tables.number(1 / share)} such networks reads {goal}"
        if share
        else f"None of {n:,} such networks reads {goal}, and at most one in {math.floor(1 / high):,} does"
    ]
    if leads:
        lead = leads[-2:][0]  # the best of all is a single network in each half, and tells less
        parts.append(
            f"the best of {lead['of']:,} leads by {lead['chosen']:.2f} points on the images that chose it and by"
            f" {lead['other']:.2f} on others, so that {100 * stays(lead):.0f} % of its lead is its own and the rest"
            " luck with those images"
        )
    if results["crossed"] and results["crossed"]["rest"] is not None:
        shares = (f"{100 * each:.0f} %" for each in variance_shares(results["crossed"]))
        parts.append(
            "of the variance the start makes {}, the order of the examples {}, both together {}".format(*shares)
        )
    return "; ".join(parts) + "."


def figures(record: script.Record, folder: Path) -> list[Path]:
    """All in one picture."""
    return [draw(record["results"], folder / "luck.png")]
