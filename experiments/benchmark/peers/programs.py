"""The programs that are compared: what they are called, and what each needs to run."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from experiments.benchmark.peers import by_c
from experiments.common.choices import ChoiceError


class Program(NamedTuple):
    """One way to do the work.

    - `label`: what people call it.
    - `peer`: the module `by_NAME` that does it.
    - `needs`: a package, or cc for a compiler of C.
    - `choices`: further arguments of that module's `trainer`.
    """

    label: str
    peer: str
    needs: str | None
    choices: dict[str, Any]


PROGRAMS = {
    "jaxnet": Program("jaxnet", "jaxnet", None, {}),
    "numpy": Program("NumPy", "numpy", None, {}),
    "pytorch": Program("PyTorch eager", "pytorch", "torch", {}),
    "pytorch_compiled": Program("PyTorch compiled", "pytorch", "torch", {"compiled": True}),
    "sklearn": Program("scikit-learn", "sklearn", "sklearn", {}),
    "jax_loop": Program("JAX, Python loop", "jax_loop", None, {}),
    "c": Program("C, one core", "c", "cc", {}),
}


def available(names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Those of the programs that can run here, jaxnet first; and what each of the others would need.

    Raises ChoiceError, naming it, for a program that is none of them.
    """
    unknown = [name for name in names if name not in PROGRAMS]
    if unknown:
        raise ChoiceError(f"program {unknown[0]} is unknown; expected some of {', '.join(PROGRAMS)}")
    there, left_out = ["jaxnet"], {}
    for name in names:
        needs = PROGRAMS[name].needs
        found = by_c.available() if needs == "cc" else needs is None or find_spec(needs) is not None
        if not found:
            left_out[name] = str(needs)
        elif name not in there:
            there.append(name)
    return there, left_out
