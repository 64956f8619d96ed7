"""What is chance in a number, and what is not: shares, correlations, and variances with their intervals.

Intervals are 95 % confidence intervals, tests are F tests: of independent numbers, and but for shares of normal ones.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats


class Interval(NamedTuple):
    """An estimate, and between which two numbers the truth lies."""

    value: float
    low: float
    high: float


def share(number: int, of: int) -> Interval:
    """So many of so many, between 0 and 1, with the exact interval (Clopper and Pearson 1934).

    >>> [round(each, 3) for each in share(0, 100)]
    [0.0, 0.0, 0.036]
    """
    interval = stats.binomtest(number, of).proportion_ci(method="exact")
    return Interval(number / of, float(interval.low), float(interval.high))


def correlation(one: np.ndarray, other: np.ndarray) -> Interval:
    """Pearson's r with Fisher's interval; NaN of fewer than three pairs, and where one of the two never changes."""
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return Interval(math.nan, math.nan, math.nan)
    found: Any = stats.pearsonr(one, other)
    low, high = found.confidence_interval()
    return Interval(float(found.statistic), float(low), float(high))


def reliability(r: float) -> float:
    """How two whole tests would correlate whose halves correlate by r: 2r / (1 + r) (Spearman and Brown 1910)."""
    return 2 * r / (1 + r) if r > -1 else math.nan


class Lead(NamedTuple):
    """By how much the best of a group leads the mean of all, where it was chosen and where it was not."""

    of: int
    chosen: float
    other: float


def lead(one: np.ndarray, other: np.ndarray, of: int, groups: int, rng: np.random.Generator) -> Lead:
    """The best of so many by the one number, and what it is in the other; and the other way round.

    The mean over so many random groups; of the best in a group that are equal, any is taken.
    """
    leads = []
    for _ in range(groups):
        group = rng.permutation(len(one))[:of]
        for chosen, judged in ((one, other), (other, one)):
            best = group[np.argmax(chosen[group])]
            leads.append((chosen[best] - chosen.mean(), judged[best] - judged.mean()))
    return Lead(of, *map(float, np.mean(leads, axis=0)))


def differ(groups: Sequence[np.ndarray]) -> float:
    """The p value of the F test that groups differ in their means; NaN of fewer than two, and where nothing differs."""
    number, n = len(groups), sum(map(len, groups))
    within = sum(np.sum((group - group.mean()) ** 2) for group in groups)
    if number < 2 or n <= number or not any(map(np.ptp, groups)):
        return math.nan
    mean = np.concatenate(groups).mean()
    between = sum(len(group) * (group.mean() - mean) ** 2 for group in groups)
    return float(stats.f.sf(between / (number - 1) / (within / (n - number)), number - 1, n - number))


class Component(NamedTuple):
    """What one of two things adds to a variance."""

    variance: float
    """Estimated without bias, hence negative now and then where the truth is zero or near."""
    times_rest: Interval
    """The same as so many times the variance of the rest, with the exact interval; zero and below are no variance."""
    p: float
    """Of the F test that it adds nothing."""


class Components(NamedTuple):
    """What a variance is made of."""

    rows: Component
    columns: Component
    rest: float


def components(table: np.ndarray) -> Components:
    """The variance in a table, one number a cell: what its rows add, its columns, and the rest.

    y_ij = mean + r_i + c_j + e_ij, all random and independent; of one number a cell, e_ij holds what row and column do
    together and all else. With a rows and b columns the mean squares have the expectations
    MS_rows = rest + b rows, MS_columns = rest + a columns, MS_rest = rest (Searle, Casella and McCulloch 1992, ch. 4).
    """
    a, b = table.shape
    rows, columns = table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True)
    left = (a - 1) * (b - 1)
    rest = float(np.sum((table - rows - columns + table.mean()) ** 2)) / left

    def component(means: np.ndarray, each: int) -> Component:
        number = means.size - 1
        square = each * float(np.var(means, ddof=1))
        if rest == 0 or np.ptp(table) == 0:
            return Component((square - rest) / each, Interval(math.nan, math.nan, math.nan), math.nan)
        f = square / rest
        low, high = ((f / float(stats.f.ppf(level, number, left)) - 1) / each for level in (0.975, 0.025))
        return Component(
            (square - rest) / each, Interval((f - 1) / each, low, high), float(stats.f.sf(f, number, left))
        )

    return Components(component(rows, b), component(columns, a), rest)
