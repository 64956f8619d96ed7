"""Damage done to files: what a disk, a network or an editor may do to them."""

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

HUGE = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 10**12, 2**63 - 1, 2**63, 2**64 - 1)
NUMBERS = ("0", "-1", "1", "7", "1000000000000", "99999999999999999999", "-99999999999999999999", "1e999", "NaN", "0.5")


class Mutant(NamedTuple):
    """A damaged file.

    - `what`: was done to it.
    - `anew`: its checksum was made anew, so that it is a whole file, of other contents.
    """

    content: bytes
    what: str
    anew: bool = False


def mutate(chance: random.Random, content: bytes, others: Sequence[bytes], aware: Callable[..., Mutant]) -> Mutant:
    """The file damaged in one way, or now and then in two; `aware(chance, content)` knows its format."""
    if chance.random() < 0.25:
        return aware(chance, content)
    ways = [chance.choice(WAYS) for _ in range(chance.choice((1, 1, 1, 2)))]
    for way in ways:
        content = way(chance, content, others)
    return Mutant(content, " + ".join(way.__name__ for way in ways))


def flipped_bits(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    damaged = bytearray(content)
    for _turn in range(chance.choice((1, 1, 1, 2, 8))):
        if damaged:
            damaged[place(chance, damaged)] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def other_bytes(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, end = block(chance, content, 8)
    return content[:start] + chance.randbytes(end - start) + content[end:]


def cut(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    at = place(chance, content)
    return content[:at] if chance.random() < 0.8 else content[at:]


def extended(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    more = chance.choice((bytes, chance.randbytes))(chance.choice((1, 8, 4096)))
    return content + more if chance.random() < 0.8 else more + content


def zeroed(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, end = block(chance, content, 512)
    return content[:start] + bytes(end - start) + content[end:]


def removed(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, end = block(chance, content, 512)
    return content[:start] + content[end:]


def duplicated(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, end = block(chance, content, 512)
    return content[:end] + content[start:]


def swapped(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    one, two, three, four = sorted((*block(chance, content, 512), *block(chance, content, 512)))
    return content[:one] + content[three:four] + content[two:three] + content[one:two] + content[four:]


def spliced(chance: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    other = chance.choice(others)
    return content[: place(chance, content)] + other[place(chance, other) :]


def huge_number(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """A number of 1, 2, 4 or 8 bytes."""
    size = chance.choice((1, 2, 4, 8))
    value = (chance.choice(HUGE) % 2 ** (8 * size)).to_bytes(size, chance.choice(("little", "big")))
    at = place(chance, content)
    return content[:at] + value + content[at + size :]


def other_number(chance: random.Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """One that is written in digits."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", content[:4096]))
    if not found:
        return flipped_bits(chance, content, _)
    start, end = chance.choice(found).span()
    return content[:start] + chance.choice(NUMBERS).encode() + content[end:]


WAYS = (
    flipped_bits, other_bytes, cut, extended, zeroed, removed, duplicated, swapped, spliced, huge_number, other_number,
)  # fmt: skip


def place(chance: random.Random, content: bytes | bytearray) -> int:
    """Anywhere, but often near the beginning or the end, where the headers are."""
    size = max(len(content), 1)
    match chance.randrange(3):
        case 0:
            return chance.randrange(min(size, 128))
        case 1:
            return size - 1 - chance.randrange(min(size, 256))
    return chance.randrange(size)


def block(chance: random.Random, content: bytes, longest: int) -> tuple[int, int]:
    start = place(chance, content)
    return start, min(len(content), start + chance.randint(1, longest))


def npz_anew(chance: random.Random, content: bytes) -> Mutant:
    """A whole archive with one array's header or values changed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = chance.choice(list(members))
    way = chance.choice((other_number, other_number, flipped_bits, cut, extended, removed, huge_number))
    members[name] = way(chance, members[name], ())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, member in members.items():
            archive.writestr(each, member)
    return Mutant(packed.getvalue(), f"archive anew, {way.__name__}", anew=True)


def idx_sizes(chance: random.Random, content: bytes) -> Mutant:
    """Another size in the header, the values as they are."""
    at = 4 + 4 * chance.randrange(max(content[3], 1))
    value = chance.choice((*HUGE, *range(20))) % 2**32
    return Mutant(content[:at] + struct.pack(">I", value) + content[at + 4 :], "other size")


def gzip_anew(chance: random.Random, content: bytes) -> Mutant:
    """A whole gzip file of damaged contents."""
    inner = flipped_bits(chance, zlib.decompress(content, 31), ())
    packer = zlib.compressobj(wbits=31)
    return Mutant(packer.compress(inner) + packer.flush(), "gzip anew")


def safetensors_header(chance: random.Random, content: bytes) -> Mutant:
    """Another header, well-formed and of its right length; the checksum stays what it was."""
    start = 8 + int.from_bytes(content[:8], "little")
    text = json.dumps(edit_json(chance, json.loads(content[8:start]))).encode()
    return Mutant(struct.pack("<Q", len(text)) + text + content[start:], "other header")


def json_anew(chance: random.Random, content: bytes) -> Mutant:
    """A record with one or two of its entries changed, as by an editor, without the checksum or with the old one."""
    record = edit_json(chance, json.loads(content))
    anew = chance.random() < 0.8 and isinstance(record, dict)
    if anew:
        record.pop("sha256", None)
    return Mutant(json.dumps(record).encode(), "edited", anew)


def any_text(chance: random.Random, content: bytes) -> Mutant:
    """For files of which nothing is known."""
    return Mutant(other_number(chance, content, ()), "other number")


def edit_json(chance: random.Random, value: Any) -> Any:
    """The same with one or two entries changed, removed, added or made of another kind, at any depth."""
    for _ in range(chance.choice((1, 1, 2))):
        value = _edited(chance, value)
    return value


def _edited(chance: random.Random, value: Any) -> Any:
    strange = (
        None,
        True,
        "",
        "text",
        0,
        -1,
        10**12,
        -(10**30),
        0.5,
        1e308,
        float("nan"),
        [],
        [[]],
        {},
        {"a": 1},
        "ü\0",
    )
    if isinstance(value, dict | list) and value and chance.random() < 0.9:
        value = value.copy()
        key = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
        match chance.randrange(12):
            case 0:
                del value[key]
            case 1 if isinstance(value, list):
                value.append(chance.choice((value[key], *strange)))
            case 1:
                value["more"] = value[key]
            case _:
                value[key] = _edited(chance, value[key])
        return value
    return chance.choice(strange)
