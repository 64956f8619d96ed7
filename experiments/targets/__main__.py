"""What would the programs be on a GPU or a TPU, where there is none? And what are they, where there is one?

    python3 -m venv .targets && .targets/bin/pip install -e '.[experiments,targets]'
    .targets/bin/python -m experiments.targets

XLA compiles for devices that are not there. So each program that the scripts run is compiled for TPUs v5e, v5p and v6e
with 1, 8 and 256 chips, for one and eight H100 and H200, and for a small GPU, and counted: memory, kernels a step,
messages and bytes a step. From the published figures of the device follows how long a step takes at least: a
projection, measured nowhere. Under ten minutes on two cores. (In an environment of its own, for JAX looks for these
devices at every start, and complains.)

With --measure it is the other way round: on the device that is there every program is run and timed, and then the
scripts; see the section in the gallery. Stopped by Ctrl-C, either goes on with --resume.
"""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from experiments.common import machine, script
from experiments.common.choices import ChoiceError
from experiments.common.saving import Resuming, parts_of
from experiments.reports import targets as report
from experiments.targets import compiling, measured, programs
from experiments.targets.accelerators import ACCELERATORS, LATENCY, Accelerator

PACKAGES = {"tpu": "libtpu", "gpu": "jax-cuda13-plugin"}


@dataclass(frozen=True)
class Config:
    """The choices."""

    accelerators: tuple[str, ...] = tuple(ACCELERATORS)
    """What to compile for, as NAME:CHIPS."""
    programs: tuple[str, ...] = tuple(programs.NAMES)
    """Which programs."""
    measure: bool = False
    """Run and time them on the device that is there, and then the scripts, instead of compiling for others."""
    small: bool = False
    """With --measure: everything in a small form, to see whether it works."""
    scripts: tuple[str, ...] = tuple(measured.SCRIPTS)
    """With --measure: which of the scripts."""
    saving: Resuming = field(default_factory=Resuming)


def run(config: Config, folder: Path) -> script.Record:
    """Compiles and counts, or runs and times."""
    for option, there in (("programs", programs.NAMES), ("scripts", measured.SCRIPTS), ("accelerators", ACCELERATORS)):
        for name in getattr(config, option):
            if name not in there:
                raise ChoiceError(f"{option} has {name}; there are {', '.join(there)}")
    if config.small and not config.measure:
        raise ChoiceError("small is chosen without measure; add --measure")
    if config.measure:
        parts = parts_of(folder, config)
        return measured.run(config.programs, config.scripts, folder, parts, small=config.small)
    if not config.accelerators or not config.programs:
        raise ChoiceError("there is nothing to compile; name at least one of --accelerators and --programs")
    chosen = {name: _accelerator(name) for name in config.accelerators}
    parts = parts_of(folder, config)
    results: script.Record = {"latency": LATENCY, "accelerators": {}, "rows": []}
    with ProcessPoolExecutor(
        machine.cores(), multiprocessing.get_context("spawn"), compiling.prepare_worker
    ) as workers:
        for name, accelerator in chosen.items():
            results["accelerators"][name] = accelerator.facts()
            results["rows"] += parts(name.replace(":", "-"), compiling.compiled, workers, name, config.programs)
            report.print_accelerator(results, name)
    return results


def _accelerator(name: str) -> Accelerator:
    package = PACKAGES[ACCELERATORS[name].platform]
    try:
        version(package)
    except PackageNotFoundError:
        advice = "pip install -e '.[experiments,targets]'"
        raise ChoiceError(f"to compile for {name} takes {package}: {advice}") from None
    return ACCELERATORS[name]


def main() -> None:
    """The command line."""
    if "--measure" not in sys.argv:
        compiling.prepare()
    script.main("targets", __doc__, Config, run, report, while_running=report.print_parts)


if __name__ == "__main__":
    main()
