"""What a user chose: where it cannot be, it is refused in one line."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax


class ChoiceError(ValueError):
    """A choice of the user that cannot be; the message says what to do."""


@contextmanager
def refused(beginning: str = "") -> Iterator[None]:
    """Within, what the library refuses is a choice of the user; the message begins with these words.

    Only for calls that check what he chose: any other ValueError is a bug, and is to show where it comes from.
    """
    try:
        yield
    except (ValueError, IndexError, ImportError, FileNotFoundError) as error:
        raise ChoiceError(f"{beginning}{error}") from error


def check_at_least(config: Any, **least: int) -> None:
    """Raises ChoiceError, naming the choice, where one of these is set to less than that."""
    for name, number in least.items():
        value = getattr(config, name)
        if value is not None and not value >= number:  # NaN is refused as well
            raise ChoiceError(f"{name} is {value}; it must be at least {number}")


def check_at_most(config: Any, **most: int) -> None:
    """Raises ChoiceError, naming the choice, where one of these is set to more than that."""
    for name, number in most.items():
        if getattr(config, name) > number:
            raise ChoiceError(f"{name} is {getattr(config, name):,}; it must be at most {number:,}")


def check_rate(rate: float) -> None:
    """Raises ChoiceError unless the learning rate is one that descends."""
    if not (math.isfinite(rate) and rate >= 0):
        raise ChoiceError(f"rate is {rate}; a learning rate is a finite number, zero or more")


def check_goal(goal: float) -> None:
    """Raises ChoiceError unless it is an accuracy in percent that can be reached, and is not there anyway."""
    if not 0 < goal <= 100:
        raise ChoiceError(f"goal is {goal}; it must be an accuracy in percent, above 0 and up to 100")


def check_seed(seed: int) -> None:
    """Raises ChoiceError for a seed that has no random numbers of its own."""
    if not 0 <= seed < 2**32:
        raise ChoiceError(f"seed is {seed}; it must be between 0 and {2**32 - 1:,}")


def random_key(seed: int) -> jax.Array:
    """The key of a seed. Raises ChoiceError as `check_seed` does."""
    check_seed(seed)
    return jax.random.key(seed)
