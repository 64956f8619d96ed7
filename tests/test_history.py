import numpy as np
import pytest

from jaxnet.history import first_reach


def test_first_reach_is_on_the_line_between_two_evaluations():
    along, curve = np.array([0.0, 10.0, 20.0, 30.0]), np.array([0.1, 0.5, 0.9, 0.8])
    assert first_reach(along, curve, 0.7) == pytest.approx(15)
    assert first_reach(along, curve, 0.05) == 0
    assert first_reach(along, curve, 0.9) == 20  # its highest point
    assert np.isnan(first_reach(along, curve, 0.95))
