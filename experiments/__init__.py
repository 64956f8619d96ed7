"""Scripts that a person runs: `python -m experiments.NAME --help`."""

from importlib.util import find_spec

if find_spec("tyro") is None:
    raise ImportError("the scripts need more than the package does: pip install -e '.[experiments]'")
