"""Do the fast tests of the library notice where one line of it is wrong?

    python -m tests.attacks.mutants

Breaks one line at a time in a copy of the working tree, and runs the fast tests there: those of that module, and where
they all pass those of the other modules. Those of the experiments do not count: the library has to tell by itself.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Mutant(NamedTuple):
    """What stands in a module of jaxnet, once, and what a person could have written there by mistake."""

    module: str
    old: str
    new: str


MUTANTS = {
    "fan-out for fan-in": Mutant("network", "in_axis=-1, out_axis=-2", "in_axis=-2, out_axis=-1"),
    "one key for weights and biases": Mutant(
        "network", "weights_key, biases_key = jax.random.split(layer_key)", "weights_key = biases_key = layer_key"
    ),
    "last chunk starts one too early": Mutant("cost", "add(total, n - rest, rest)", "add(total, n - rest - 1, rest)"),
    "softmax's delta for targets that sum to one": Mutant("cost", "output(z) * jnp.sum(y) - y", "output(z) - y"),
    "rows and columns of a grid exchanged": Mutant(
        "calculus", "leaf.reshape(len(ys), len(xs), *", "leaf.reshape(len(xs), len(ys), *"
    ),
    "new direction not made orthogonal": Mutant(
        "calculus", "jnp.where(nowhere_new, orthogonal(fresh, basis), new)", "jnp.where(nowhere_new, fresh, new)"
    ),
    "activation function of the next layer": Mutant(
        "backprop", "params[layer - 1].activation.derivative", "params[layer].activation.derivative"
    ),
    "Jacobian transposed on a path": Mutant(
        "chain_rule", "jnp.tensordot(own, ways, axes=(0, 0))", "jnp.tensordot(own, ways, axes=(1, 0))"
    ),
    "mean size for root mean square": Mutant("importance", "jnp.sqrt(jnp.mean(leaf**2))", "jnp.mean(jnp.abs(leaf))"),
    "array by columns read by rows": Mutant("data", 'order="F" if by_columns else "C"', 'order="C"'),
    "slant before stretch": Mutant("distortions", "rotate @ stretch @ slanted", "rotate @ slanted @ stretch"),
    "middle half a pixel off": Mutant("distortions", "- (side - 1) / 2", "- side / 2"),
    "last smaller batch left out": Mutant("descent", "if len(last):", "if len(last) == batch_size:"),
    "the same order in every epoch": Mutant("order", "bits(jax.random.fold_in(key, index)", "bits(key"),
    "level reached only above it": Mutant("history", "curve >= level", "curve > level"),
    "all processes for any": Mutant("devices", "np.any(_of_all_processes", "np.all(_of_all_processes"),
    "checkpoint due later": Mutant("checkpoint", "epochs - self._epochs >= every", "epochs - self._epochs > every"),
    "names of theirs left out": Mutant("identity", "for name in {**ours, **theirs} if", "for name in ours if"),
    "test examples have no fingerprint": Mutant("training", '"test images and labels": tests,', ""),
    "last smaller batch is no step": Mutant("training", "steps - -size // batch_size", "steps + size // batch_size"),
    "one distortion for all images": Mutant("programs", "distort(jax.random.fold_in(key, row), ", "distort(key, "),
    "factor 2 of the jackknife": Mutant("landscape", "squared_mean - 2 * along /", "squared_mean - along /"),
    "output's name for old files": Mutant("export", 'metadata.get("output", ', 'metadata.get("activation", '),
    "shared bytes counted twice": Mutant("memory", "- found.alias_size_in_bytes", "+ found.alias_size_in_bytes"),
    # A second twenty, chosen when those above were all caught.
    "sign in softmax's Jacobian": Mutant("network", "jnp.diag(a) - jnp.outer(a, a)", "jnp.diag(a) + jnp.outer(a, a)"),
    "inner derivative forgotten": Mutant("network", "1.7159 * 0.6666 * (1 - a)", "1.7159 * (1 - a)"),
    "last chunk counts as a whole one": Mutant("cost", "t + size * p", "t + chunk_size * p"),
    "sign in a slope": Mutant(
        "cost", "- jnp.where(y > 0, y * (1 + jnp.exp(-z)), 0)", "+ jnp.where(y > 0, y * (1 + jnp.exp(-z)), 0)"
    ),
    "error without the eigenvalue": Mutant("calculus", "within @ products - value * direction", "within @ products"),
    "sum for mean": Mutant("backprop", "jnp.mean(delta, axis=0)", "jnp.sum(delta, axis=0)"),
    "sign of a nudge": Mutant("backprop", "-layer.weights.T @ delta", "layer.weights.T @ delta"),
    "neuron for source": Mutant("chain_rule", "inputs[layer][source]", "inputs[layer][neuron]"),
    "bias is the last source": Mutant("importance", "w.shape[1], -1, source)", "w.shape[1], w.shape[1] - 1, source)"),
    "equal ones in any order": Mutant(
        "importance", "-jnp.abs(whole.slope), stable=True", "-jnp.abs(whole.slope[::-1])"
    ),
    "one class too many": Mutant("data", "low < 0 or high >= classes", "low < 0 or high > classes"),
    "variance without its two": Mutant("distortions", "(2 * sigma**2)", "(sigma**2)"),
    "noise with a mean": Mutant("distortions", "/ 127.5 - 1", "/ 128 - 1"),
    "last batches as one": Mutant(
        "descent", "len(order) - len(order) % batch_size]", "len(order) - len(order) % together]"
    ),
    "point before the first": Mutant("history", "max(1, reached[0])", "max(0, reached[0])"),
    "oldest for newest": Mutant("checkpoint", "reverse=True)", "reverse=False)"),
    "one that diverged ends all": Mutant(
        "training", "np.isfinite(metrics.train_cost).any()", "np.isfinite(metrics.train_cost).all()"
    ),
    "evaluated one epoch late": Mutant("training", "(index + 1) % epochs_per", "index % epochs_per"),
    "shares of lengths": Mutant("landscape", "lengths[:2] ** 2 / variance", "lengths[:2] / variance"),
    "one scale for all neurons": Mutant(
        "landscape", "jnp.linalg.norm(d, axis=1)", "jnp.linalg.norm(d) / len(d) ** 0.5"
    ),
}


def broken(mutant: Mutant) -> str:
    """The text of the module with the mistake in it. Raises ValueError unless its old text stands there once."""
    text = (ROOT / f"jaxnet/{mutant.module}.py").read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise ValueError(f"MUTANTS is stale: {mutant.old!r} stands {text.count(mutant.old)} times in {mutant.module}")
    return text.replace(mutant.old, mutant.new)


def copy(folder: Path) -> None:
    """All files that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)


def own_tests(module: str) -> list[str]:
    """Of one module: its test file and its doctests."""
    return [f"tests/test_{module}.py", f"jaxnet/{module}.py"]


def first_failure(folder: Path, *choices: str) -> str | None:
    """The fast test of the copy that fails first, None where all pass. Raises RuntimeError where none could be run."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command, environment = (
            [sys.executable, *arguments],
            os.environ | {"PYTHONPATH": str(folder), "PYTEST_ADDOPTS": ""},
        )
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    tested = run("-c", "import importlib.util as util; print(util.find_spec('jaxnet').origin)").stdout.strip()
    if tested != str(folder / "jaxnet/__init__.py"):
        raise RuntimeError(f"not the copy would be tested but {tested}")
    ended = run("-m", "pytest", "-x", "-q", "-n2", "-p", "no:cacheprovider", *choices)
    if not ended.returncode:
        return None
    failed = re.search(r"^(?:FAILED|ERROR) (.+)", ended.stdout, re.MULTILINE)
    if failed is None:
        raise RuntimeError(f"the tests could not be run: {ended.stdout[-3000:]}{ended.stderr[-3000:]}")
    return failed[1]


def caught_by(mutant: Mutant | None, *, others: bool = True) -> str | None:
    """The test that notices this mistake, None where none does; of the module alone or, with `others`, of all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        copy(folder)
        # test_mutants.py looks for the old text, and would notice any change of it.
        rest = ["tests", "jaxnet", "--ignore=tests/experiments", "--ignore=tests/test_mutants.py"]
        if mutant is None:
            return first_failure(folder, *rest)
        (folder / f"jaxnet/{mutant.module}.py").write_text(broken(mutant), encoding="utf-8")
        own = own_tests(mutant.module)
        found = first_failure(folder, *own)
        return first_failure(folder, *rest, *(f"--ignore={each}" for each in own)) if others and not found else found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(MUTANTS), default=list(MUTANTS), metavar="MUTANT")
    choices = parser.parse_args()
    survivors = 0
    with tempfile.TemporaryDirectory() as compiled:  # what one run has compiled, the next need not
        os.environ |= {"JAX_COMPILATION_CACHE_DIR": compiled, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        if fails := caught_by(None):
            sys.exit(f"{fails} fails where nothing is broken")
        for name in choices.only:
            started = time.monotonic()
            found = caught_by(MUTANTS[name])
            survivors += found is None
            verdict = "SURVIVED" if found is None else f"caught by {found}"
            print(f"{MUTANTS[name].module}, {name}: {verdict}, {time.monotonic() - started:.0f} s", flush=True)
    print(f"{len(choices.only) - survivors} of {len(choices.only)} caught")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
