"""What is chance: against closed forms, plain sums, and random numbers made of known parts."""

import math

import numpy as np
import pytest
from scipy import stats

from experiments.common import chance


@pytest.mark.parametrize(("number", "of"), [(0, 1000), (3, 1000), (17, 32), (32, 32)])
def test_an_interval_of_a_share_ends_where_what_was_seen_would_be_rare(number: int, of: int):
    share, low, high = chance.share(number, of)
    assert share == number / of
    if number > 0:
        assert stats.binom.sf(number - 1, of, low) == pytest.approx(0.025)  # so many or more
    else:
        assert low == 0
    if number < of:
        assert stats.binom.cdf(number, of, high) == pytest.approx(0.025)  # so few or fewer
    else:
        assert high == 1


def test_of_none_among_many_the_interval_has_a_closed_form():
    assert chance.share(0, 1000).high == pytest.approx(1 - 0.025 ** (1 / 1000))


def test_a_correlation_has_fishers_interval():
    rng = np.random.default_rng(0)
    one = rng.normal(size=50)
    other = 0.5 * one + rng.normal(size=50)
    found = chance.correlation(one, other)
    assert found.value == pytest.approx(np.corrcoef(one, other)[0, 1])
    ends = np.tanh(np.arctanh(found.value) + np.array([-1, 1]) * stats.norm.ppf(0.975) / math.sqrt(47))
    assert (found.low, found.high) == pytest.approx(tuple(ends))


@pytest.mark.parametrize(
    "pair", [([1, 2], [1, 2]), ([1, 1, 1, 1], [1, 2, 3, 4]), ([1, 2, 3], [0.1, 0.1, 0.1]), ([], [])]
)
def test_what_cannot_correlate_is_no_number(pair: tuple[list, list]):
    assert all(math.isnan(each) for each in chance.correlation(*(np.array(each, float) for each in pair)))


def test_two_whole_tests_correlate_as_their_halves_foretell():
    rng = np.random.default_rng(0)
    skill = rng.normal(size=200_000)
    halves = [skill + 1.5 * rng.normal(size=200_000) for _ in range(4)]
    foretold = chance.reliability(chance.correlation(*halves[:2]).value)
    assert foretold == pytest.approx(np.corrcoef(halves[0] + halves[1], halves[2] + halves[3])[0, 1], abs=0.01)
    assert chance.reliability(0.5) == pytest.approx(2 / 3)
    assert math.isnan(chance.reliability(-1.0))
    assert math.isnan(chance.reliability(math.nan))


def test_of_a_lead_stays_what_the_halves_have_in_common():
    """Of equal halves, normal, r of the lead is expected on the other; the best of 10 leads by 1.539 deviations."""
    rng = np.random.default_rng(0)
    skill = rng.normal(size=20_000)
    one, other = (skill + 2 * rng.normal(size=20_000) for _ in range(2))
    lead = chance.lead(one, other, 10, 5_000, rng)
    assert lead.of == 10
    assert lead.chosen == pytest.approx(1.539 * math.sqrt(5), rel=0.02)
    assert lead.other / lead.chosen == pytest.approx(1 / 5, abs=0.03)


def test_the_best_of_all_is_the_best_and_equals_share_it():
    one, other = np.array([1.0, 3.0, 3.0, 1.0]), np.array([5.0, 4.0, 0.0, 3.0])
    lead = chance.lead(one, other, 4, 4_000, np.random.default_rng(0))
    assert lead.chosen == pytest.approx(((3 - 2) + (5 - 3)) / 2)
    assert lead.other == pytest.approx(((2 - 3) + (1 - 2)) / 2, abs=0.05)  # 4 or 0, each as often, of a mean of 3
    assert chance.lead(one, one, 1, 10_000, np.random.default_rng(0)).chosen == pytest.approx(0, abs=0.05)


def test_whether_groups_differ_is_the_f_test_of_scipy():
    rng = np.random.default_rng(0)
    groups = [rng.normal(mean, size=size) for mean, size in ((0, 5), (0.5, 9), (1, 3))]
    assert chance.differ(groups) == pytest.approx(stats.f_oneway(*groups).pvalue)
    for nothing in ([], groups[:1], [np.array([1.0]), np.array([2.0])], [np.full(3, 0.1), np.full(4, 0.3)]):
        assert math.isnan(chance.differ(nothing))


def by_plain_sums(table: np.ndarray) -> tuple[float, float, float]:
    """The mean squares of rows, columns and the rest."""
    a, b = table.shape
    mean = sum(map(sum, table)) / (a * b)
    row = [sum(table[i]) / b for i in range(a)]
    column = [sum(table[:, j]) / a for j in range(b)]
    rest = sum((table[i, j] - row[i] - column[j] + mean) ** 2 for i in range(a) for j in range(b))
    rows, columns = b * sum((each - mean) ** 2 for each in row), a * sum((each - mean) ** 2 for each in column)
    return rows / (a - 1), columns / (b - 1), rest / ((a - 1) * (b - 1))


def test_components_solve_the_expected_mean_squares():
    a, b = 4, 6
    table = np.random.default_rng(0).normal(size=(a, b))
    rows, columns, rest = by_plain_sums(table)
    found = chance.components(table)
    assert found.rest == pytest.approx(rest)
    assert rest + b * found.rows.variance == pytest.approx(rows)
    assert rest + a * found.columns.variance == pytest.approx(columns)
    assert found.rows.p == pytest.approx(stats.f.sf(rows / rest, a - 1, (a - 1) * (b - 1)))
    assert found.columns.p == pytest.approx(stats.f.sf(columns / rest, b - 1, (a - 1) * (b - 1)))
    assert found.columns.times_rest.value == pytest.approx(found.columns.variance / rest)


def test_components_of_a_sum_of_rows_and_columns_are_their_variances():
    row, column = np.array([1.0, 2.0, 4.0]), np.array([0.0, 5.0, 1.0, 1.0])
    found = chance.components(row[:, None] + column)
    assert found.rows.variance == pytest.approx(np.var(row, ddof=1))
    assert found.columns.variance == pytest.approx(np.var(column, ddof=1))
    assert found.rest == pytest.approx(0, abs=1e-12)


def test_where_there_is_no_rest_nothing_is_told_apart_from_it():
    found = chance.components(np.array([[1.0, 2.0], [2.0, 3.0]]))
    assert (found.rows.variance, found.columns.variance, found.rest) == (0.5, 0.5, 0)
    assert math.isnan(found.rows.p)
    assert math.isnan(found.columns.times_rest.value)
    constant = chance.components(np.full((3, 4), 0.1))
    assert (constant.rows.variance, constant.columns.variance, constant.rest) == pytest.approx((0, 0, 0), abs=1e-12)
    assert math.isnan(constant.rows.p)


def test_components_are_without_bias_and_their_intervals_hold_the_truth():
    """Starts add 4, orders nothing, the rest is 1: on average that comes out, and 95 of 100 intervals have it."""
    rng = np.random.default_rng(0)
    found = [chance.components(2 * rng.normal(size=(6, 1)) + rng.normal(size=(6, 8))) for _ in range(1_000)]
    assert np.mean([each.rows.variance for each in found]) == pytest.approx(4, abs=0.3)
    assert np.mean([each.columns.variance for each in found]) == pytest.approx(0, abs=0.03)
    assert np.mean([each.rest for each in found]) == pytest.approx(1, abs=0.03)
    assert min(each.columns.variance for each in found) < 0
    for truth, intervals in (
        (4, [each.rows.times_rest for each in found]),
        (0, [each.columns.times_rest for each in found]),
    ):
        held = np.mean([interval.low <= truth <= interval.high for interval in intervals])
        assert held == pytest.approx(0.95, abs=0.02)
    assert np.mean([each.columns.p < 0.05 for each in found]) == pytest.approx(0.05, abs=0.02)
    assert np.mean([each.rows.p < 0.05 for each in found]) > 0.98
