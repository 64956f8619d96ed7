"""Says in one line why a process of several has ended, where it cannot say so itself.

JAX ends a process natively, with pages of addresses, as soon as process 0 is gone. Hence what the process writes to its
standard error goes through this program, which passes it on, line by line, up to such an end; from there on it prints
one line only: the last that the process gave it to be said in that case.
"""

import os
import signal
import sys

PREPARED = b"\x00"
"""Before a line that is to be said in that case; it is not passed on."""
TROUBLE = (b"coordination service", b"coordination_service", b"JAX distributed service")
"""Of these JAX writes only where process 0 does not answer, and then soon ends."""


def prepare(words: str) -> None:
    """What is to be said if this process should end natively from now on."""
    os.write(2, PREPARED + words.encode() + b"\n")


def main() -> None:
    """Standard input is what the process writes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it lives as long as the process
    prepared, ended = b"", False
    for line in sys.stdin.buffer:
        if line.startswith(PREPARED):
            prepared = line[1:]
        elif not ended:
            ended = any(words in line for words in TROUBLE)
            os.write(2, b"error: " + prepared if ended else line)


if __name__ == "__main__":
    main()
