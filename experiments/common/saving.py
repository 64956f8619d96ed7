"""How a long run is kept while it goes on, and gone on with: as checkpoints of one training, or part by part."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax

import jaxnet
from experiments.common import parts
from experiments.common.choices import ChoiceError, check_at_least
from experiments.common.parts import Parts
from experiments.common.record import plain
from jaxnet import checkpoint, devices, identity
from jaxnet.checkpoint import Checkpoints

CHECKPOINTS, PARTS = "checkpoints", "parts"
"""Folders in that of a run, removed when it is done: all that they had is in the record."""


@dataclass(frozen=True)
class Resuming:
    """How a run is gone on with."""

    resume: bool = False
    """Go on with the parts that an earlier run has finished in the output folder; the record is as if it had never
    stopped."""


@dataclass(frozen=True)
class Saving:
    """How a run is saved while it goes on."""

    resume: bool = False
    """Go on from the newest checkpoint in the output folder, to the very bits of a run that never stopped."""
    resume_anyway: bool = False
    """Go on also where another version of JAX or optax may have made another program; the record says so."""
    save_seconds: float | None = 60.0
    """A checkpoint when so many seconds have gone by, at the end of an epoch. Ctrl-C and SIGTERM save as well."""
    save_epochs: int | None = None
    """A checkpoint when so many epochs have gone by."""
    keep: int = 3
    """So many checkpoints stay, until the run is done."""


def choices_of(config: Any) -> dict[str, Any]:
    """All choices but those of its saving, which change nothing in what comes out."""
    return {name: value for name, value in asdict(config).items() if name != "saving"}


def facts(config: Any) -> dict[str, Any]:
    """The choices for the record, and whether the run went on though it could not be told to be the same one."""
    anyway = isinstance(getattr(config, "saving", None), Saving) and config.saving.resume_anyway
    return {"config": choices_of(config)} | ({"resumed_anyway": True} if anyway else {})


def parts_of(folder: Path, config: Any, **more: Any) -> Parts:
    """Those of a run with these choices, on these devices, and with what else makes it what it is."""
    device = jax.devices()[0]
    run = {
        **choices_of(config),
        **more,
        "jaxnet": jaxnet.__version__,
        **identity.versions(),
        "devices": f"{devices.number()} x {device.device_kind} ({device.platform}) of {jax.device_count()},"
        f" {jax.process_count()} processes",
        "dtype": "float64" if jax.config.jax_enable_x64 else "float32",  # type: ignore
        "precision": jax.config.jax_default_matmul_precision,  # type: ignore
    }
    return Parts(folder / PARTS, plain(run), resume=config.saving.resume)


def checkpoints(folder: Path, config: Any, **more: Any) -> Checkpoints:
    """Those of a run with these choices, and with what else makes it what it is."""
    saving: Saving = config.saving
    check_at_least(saving, save_seconds=0, save_epochs=1, keep=1)
    if saving.resume_anyway and not saving.resume:
        raise ChoiceError("resume_anyway is chosen without resume; add --resume")
    if saving.resume and not any((folder / CHECKPOINTS).glob("*")):
        print(f"there is nothing to resume in {folder}: it begins with the first epoch")
    return Checkpoints(
        folder / CHECKPOINTS,
        seconds=saving.save_seconds,
        epochs=saving.save_epochs,
        keep=saving.keep,
        resume=saving.resume,
        resume_anyway=saving.resume_anyway,
        configuration=plain(choices_of(config) | more),
    )


def newest(folder: Path) -> str:
    """What a run can go on from, in words."""
    if steps := checkpoint.complete(folder / CHECKPOINTS):
        return f"the newest checkpoint is {folder / CHECKPOINTS / str(steps[0])}: go on with --resume"
    there = parts.names(folder / PARTS)
    return f"{folder / PARTS} has {', '.join(there)}: go on with --resume" if there else f"nothing is kept in {folder}"


def kept(folder: Path) -> str:
    """What a run that was stopped has kept, in words; nothing where there is no part."""
    there = parts.names(folder / PARTS)
    return f"; kept in {folder / PARTS}: {', '.join(there)}" if there else ""
