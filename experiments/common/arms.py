"""Ways to descend that are compared with each other: a batch size, a rule with its numbers, and how long."""

from collections.abc import Collection
from typing import NamedTuple

from experiments.common import tables
from experiments.common.choices import ChoiceError, check_rate, refused
from experiments.common.rules import RULES, Rule


class Arm(NamedTuple):
    """One way to descend."""

    batch_size: int
    rule: str
    numbers: tuple[float, ...]
    """Of the rule, the learning rate first; what is left out has its default."""
    epochs: int

    @property
    def rate(self) -> float:
        """The learning rate, or what a rule has in its place."""
        return self.numbers[0]


def rule_of(arm: Arm) -> Rule:
    """The rule of this name."""
    return RULES[arm.rule]


def named(arm: Arm, n: int) -> str:
    """In words, for n training images."""
    words = [tables.batch_name(arm.batch_size, n), "" if arm.rule == "sgd" else arm.rule, numbers(arm)]
    return ", ".join(filter(None, words))


def numbers(arm: Arm) -> str:
    """Those of its rule, with their names."""
    return ", ".join(f"{name} {number:g}" for name, number in zip(rule_of(arm).numbers, arm.numbers, strict=False))


def written(arm: Arm, n: int) -> str:
    """As `parse_arms` reads it."""
    size = "full" if arm.batch_size == n else arm.batch_size
    return f"{size}:{arm.rule}:{','.join(f'{number:g}' for number in arm.numbers)}:{arm.epochs}"


def parse_arms(arms: tuple[str, ...], n: int, rules: Collection[str] = tuple(RULES)) -> list[Arm]:
    """Arms from BATCH:RULE:RATE:EPOCHS, or BATCH:RATE:EPOCHS for plain descent, for n training images.

    Only with these rules.

    Raises ChoiceError, naming the arm, where one is not.
    """
    parsed = []
    for text in arms:
        try:
            size, *chosen, rates, epochs = text.split(":")
            (rule,) = chosen or ["sgd"]
            arm = Arm(n if size == "full" else int(size), rule, tuple(map(float, rates.split(","))), int(epochs))
        except ValueError:
            raise ChoiceError(
                f"arm {text} is not BATCH:RULE:RATE:EPOCHS, such as full:5:440 (plain descent) or 10:adam:0.002:3"
            ) from None
        if not 1 <= arm.batch_size <= n:
            raise ChoiceError(f"arm {text} has batch size {size}; it must be full or between 1 and {n}")
        if arm.epochs < 1:
            raise ChoiceError(f"arm {text} has {epochs} epochs; it must have at least 1")
        if arm.rule not in rules:
            raise ChoiceError(f"arm {text} has rule {arm.rule}; here can be {', '.join(rules)}")
        _check_rule(text, arm, n)
        parsed.append(arm)
    if len({arm.batch_size for arm in parsed}) < 2:
        raise ChoiceError(f"arms are {' '.join(arms) or 'none'}; a comparison needs at least two different batch sizes")
    return parsed


def _check_rule(text: str, arm: Arm, n: int) -> None:
    rule = rule_of(arm)
    if len(arm.numbers) > len(rule.numbers):
        raise ChoiceError(f"arm {text} has {len(arm.numbers)} numbers; {arm.rule} has {', '.join(rule.numbers)}")
    if rule.full_batch and arm.batch_size < n:
        raise ChoiceError(f"arm {text} has batch size {arm.batch_size}; {arm.rule} needs the full batch")
    with refused(f"arm {text}: "):
        for number in arm.numbers:
            check_rate(number)
    for name, number in zip(rule.numbers, arm.numbers, strict=False):
        if name in ("momentum", "b1") and number >= 1:
            raise ChoiceError(f"arm {text} has {name} {number:g}; it must be below 1")
        if name in ("memory", "iterations") and (number < 1 or number != int(number)):
            raise ChoiceError(f"arm {text} has {name} {number:g}; it must be a whole number, at least 1")
