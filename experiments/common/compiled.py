"""What a compiled program does, counted in its text: kernels, messages, bytes.

XLA prints a program as computations, one instruction a line. An instruction that computes or moves something is a
kernel; those in the body of a loop count as often as the loop goes round. What is counted is what one device does.
"""

import functools
import math
import re
from typing import NamedTuple

_LINE = re.compile(r"^\s+(?:ROOT )?%?([\w.\-]+) = (.*?) ([a-z][\w\-]*)\((.*)$")
_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) .*\{$")
_ARRAY = re.compile(r"\b([a-z]+)(\d*)[a-z\d]*\[([\d,]*)\](\{[^}]*\})?")
_FREE = frozenset(
    [
        "parameter",
        "constant",
        "tuple",
        "get-tuple-element",
        "bitcast",
        "after-all",
        "partition-id",
        "replica-id",
        "opt-barrier",
        "domain",
        "while",
        "call",
        "conditional",
        "add-dependency",
    ]
)
_MESSAGES = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")
_FETCHES = ("dynamic-slice", "gather", "slice")


class Counts(NamedTuple):
    """Of one run of a program, on each device.

    - `kernels`: what is started one after the other: fused operations, products, copies.
    - `messages`, `sent`: collective operations, and the bytes of their results.
    - `moved`: bytes that the kernels read from and write to the device's main memory. Of an array of which a kernel
      fetches a part, only that part.
    """

    kernels: float = 0
    messages: float = 0
    sent: float = 0
    moved: float = 0

    def times(self, number: float) -> "Counts":
        """So many runs."""
        return Counts(*(number * each for each in self))

    def and_(self, other: "Counts") -> "Counts":
        """One after the other."""
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))


class _Instruction(NamedTuple):
    name: str
    shape: str
    operation: str
    rest: str

    @property
    def operands(self) -> list[str]:
        return re.findall(r"%([\w.\-]+)", self.rest.split("), ")[0])

    def called(self, *names: str) -> list[str]:
        return [found for name in names for found in re.findall(rf"\b{name}=%?([\w.\-]+)", self.rest)]


def counted(text: str) -> Counts:
    """What a whole program does, from the text of the compiled one."""
    computations: dict[str, list[_Instruction]] = {}
    entry = name = ""
    for line in text.splitlines():
        if head := _HEAD.match(line):
            name = head[2]
            computations[name] = []
            entry = name if head[1] else entry
        elif (found := _LINE.match(line)) and name:
            computations[name].append(_Instruction(*found.groups()))

    @functools.cache
    def of_computation(name: str) -> Counts:
        total, shapes = Counts(), {each.name: each.shape for each in computations[name]}
        for each in computations[name]:
            if each.operation == "while":
                (body,), (condition,) = each.called("body"), each.called("condition")
                total = total.and_(of_computation(body).times(_rounds(each, condition, computations)))
            elif each.operation == "conditional":
                branches = each.called("true_computation", "false_computation") or re.findall(
                    r"%([\w.\-]+)", each.rest.partition("branch_computations={")[2].partition("}")[0]
                )
                total = total.and_(max(map(of_computation, branches)))
            elif each.operation in ("call", "async-start"):
                for called in each.called("to_apply", "calls"):
                    total = total.and_(of_computation(called))
            elif each.operation not in _FREE and not each.operation.endswith("-done"):
                total = total.and_(_of_kernel(each, shapes, computations))
        return total

    return of_computation(entry)


def _of_kernel(each: _Instruction, shapes: dict[str, str], computations: dict[str, list[_Instruction]]) -> Counts:
    operation = each.operation.removesuffix("-start")
    if operation in _MESSAGES:
        return Counts(0, 1, size(each.shape), 0)
    inside = {one.name: one for called in each.called("calls") for one in computations[called]}
    root = next(reversed(inside.values()), each)
    users = {name: [one for one in inside.values() if name in one.operands] for name in inside}
    moved = size(each.shape, main_memory=True)
    if root.operation == "dynamic-update-slice":  # in place: only what is new is written
        new = inside.get(root.operands[1])
        moved = size(new.shape if new else shapes.get(root.operands[1], ""), main_memory=True)
    parameters = {int(one.rest.split(")")[0]): one.name for one in inside.values() if one.operation == "parameter"}
    for index, operand in enumerate(each.operands):
        whole = size(shapes.get(operand, ""), main_memory=True)
        readers = _readers(parameters[index], users) if index in parameters else [each]
        if readers and all(one.operation in (*_FETCHES, "dynamic-update-slice") for one in readers):
            whole = min(whole, sum(size(one.shape) for one in readers if one.operation in _FETCHES))
        moved += whole
    return Counts(1, 0, 0, moved)


def _readers(name: str, users: dict[str, list[_Instruction]]) -> list[_Instruction]:
    """Who reads a parameter of a fused computation, also by another shape."""
    found = []
    for one in users[name]:
        found += _readers(one.name, users) if one.operation == "bitcast" else [one]
    return found


def _rounds(loop: _Instruction, condition: str, computations: dict[str, list[_Instruction]]) -> int:
    """How often it goes round: as XLA says, else the number with which its counter is compared, else once."""
    if known := re.search(r'known_trip_count":\{"n":"(\d+)"', loop.rest):
        return int(known[1])
    lines = list(computations[condition])
    for each in computations[condition]:
        for called in each.called("calls", "to_apply"):
            lines += computations[called]
    numbers = [
        int(found[1])
        for each in lines
        if each.operation == "constant" and each.shape.startswith("s32[]")
        if (found := re.match(r"(\d+)\)", each.rest))
    ]
    return max(numbers, default=1)


def size(shape: str, *, main_memory: bool = False) -> int:
    """Bytes of an array or a tuple of arrays; with `main_memory` only of those that do not lie on the chip itself."""
    total = 0
    for kind, bits, sides, layout in _ARRAY.findall(shape):
        if not (main_memory and "S(1)" in layout):
            width = int(bits) // 8 if bits else int(kind == "pred")
            total += max(width, 1 if bits else 0) * math.prod(map(int, filter(None, sides.split(","))))
    return total
