"""A program in a process of its own, that trains when it is told to: the threads of one then never disturb another."""

import importlib
import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from experiments.benchmark.peers import Params, Trainer, mnist, train


class Worker:
    """Trains with `by_NAME` on the first `limit` images of MNIST, or all, until it is closed.

    What goes wrong over there is raised here, as RuntimeError.
    """

    def __init__(self, name: str, limit: int | None = None):
        processes = multiprocessing.get_context("spawn")
        self._here, there = processes.Pipe()
        self._process = processes.Process(target=_serve, args=(name, limit, there), daemon=True)
        self._process.start()
        there.close()

    def close(self) -> None:
        """Ends the process."""
        self._here.close()
        self._process.join(timeout=5)
        self._process.terminate()

    def threads(self) -> int:
        """How many threads its arithmetic may use."""
        return self._ask("threads")

    def start(self, params: Params, batch_size: int, rate: float, **choices: Any) -> None:
        """Forgets what it had, and begins with these parameters."""
        self._ask("start", params, batch_size, rate, choices)

    def run(self, order: np.ndarray) -> float:
        """Visits the examples in this order, and says how many seconds that took there."""
        return self._ask("run", order)

    def train(self, epochs: int, seed: int) -> tuple[float, list[list[float]]]:
        """A whole training: seconds from the first evaluation to the last, and the history."""
        return self._ask("train", epochs, seed)

    def params(self) -> Params:
        """Weights and biases now."""
        return self._ask("params")

    def _ask(self, *question: Any) -> Any:
        try:
            self._here.send(question)
            right, answer = self._here.recv()
        except (EOFError, OSError) as error:
            raise RuntimeError("the process of a program ended before its answer") from error
        if not right:
            raise RuntimeError(answer)
        return answer


def _serve(name: str, limit: int | None, connection: Connection) -> None:
    images, labels, test_images, test_labels = mnist.load()
    examples = images[:limit].copy(), np.eye(10, dtype=np.float32)[labels[:limit]]
    tests = test_images[:limit].copy(), np.eye(10, dtype=np.float32)[test_labels[:limit]]
    trainer: Any = None
    while True:
        try:
            question, *arguments = connection.recv()
        except EOFError:
            return
        try:
            module = importlib.import_module(f"experiments.benchmark.peers.by_{name}")
            answer = None
            match question:
                case "threads":
                    answer = module.threads()
                case "start":
                    params, batch_size, rate, choices = arguments
                    trainer = module.trainer(params, *examples, batch_size, rate, **choices)
                case "run":
                    started = time.perf_counter()
                    trainer.run(*arguments)
                    answer = time.perf_counter() - started
                case "train":
                    answer = _timed(trainer, examples, tests, *arguments)
                case "params":
                    answer = trainer.params()
            connection.send((True, answer))
        except Exception as error:
            connection.send((False, f"{name}: {type(error).__name__}: {error}"))


def _timed(trainer: Trainer, *arguments: Any) -> tuple[float, list[list[float]]]:
    times: list[float] = []
    history = train(trainer, *arguments, told=lambda: times.append(time.perf_counter()))
    return times[-1] - times[0], history
