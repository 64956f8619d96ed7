"""Writing a file whole or not at all, and one run alone in a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, content: bytes) -> Path:
    """Writes beside the file and renames, so that a reader never sees half of it; returns the path.

    The folder is made if it is not there, or no longer: hours of work are not lost with it.

    Raises OSError, naming the path, where that is not possible; what lay there before is then untouched.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        beside.write_bytes(content)
        return beside.replace(path)
    except OSError as error:  # a full disk does not say which file it is about
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, refusal: Exception) -> Iterator[None]:
    """Within, this run alone has the lock; `refusal` is raised where another one has it.

    The system takes it back from a run that is killed, and at the end no file is left. Needs filelock.
    """
    import filelock

    lock = filelock.FileLock(path, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise refusal from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before it is released: whoever comes next makes a new one
        lock.release()
