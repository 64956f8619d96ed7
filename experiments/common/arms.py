"""Ways to descend that are compared with each other: a batch size, a rate, and how long."""

from typing import NamedTuple

from experiments.common.choices import ChoiceError, check_rate, refused


class Arm(NamedTuple):
    """One way to descend."""

    batch_size: int
    rate: float
    epochs: int


def parse_arms(arms: tuple[str, ...], n: int) -> list[Arm]:
    """Arms from BATCH_SIZE:RATE:EPOCHS, for n training images. Raises ChoiceError, naming the arm, where one is not."""
    parsed = []
    for text in arms:
        try:
            size, rate, epochs = text.split(":")
            arm = Arm(n if size == "full" else int(size), float(rate), int(epochs))
        except ValueError:
            raise ChoiceError(f"arm {text} is not BATCH_SIZE:RATE:EPOCHS, such as full:5:440 or 10:0.25:15") from None
        if not 1 <= arm.batch_size <= n:
            raise ChoiceError(f"arm {text} has batch size {size}; it must be full or between 1 and {n}")
        if arm.epochs < 1:
            raise ChoiceError(f"arm {text} has {epochs} epochs; it must have at least 1")
        with refused(f"arm {text}: "):
            check_rate(arm.rate)
        parsed.append(arm)
    if len({arm.batch_size for arm in parsed}) < 2:
        raise ChoiceError(f"arms are {' '.join(arms) or 'none'}; a comparison needs at least two different batch sizes")
    return parsed
