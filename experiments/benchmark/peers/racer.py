"""From a cold process to the goal: one peer trains one network on MNIST until it reads enough of the test images.

    python -m experiments.benchmark.peers.racer c --hidden 30 --batch-size 10 --rate 1.0 --seed 0 --goal 95 --most 20

Prints one line of JSON, {"epochs": ..., "accuracy": ...}; whoever starts the process takes its time from outside. It
imports what this peer needs and nothing else. The same seed gives every peer the same start and the same batches.
"""

import argparse
import importlib
import json

import numpy as np

from experiments.benchmark.peers import Params, by_numpy, initial, mnist

NAMES = ("jaxnet", "numpy", "pytorch", "sklearn", "jax_loop", "c")


def main() -> None:
    """Trains and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmark.peers.racer", description="Trains one peer to a goal."
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--hidden", type=int, nargs="*", default=[30], help="neurons in each hidden layer")
    parser.add_argument("--batch-size", type=int, default=10)
    parser.add_argument("--rate", type=float, default=1.0, help="for the cost without one-half")
    parser.add_argument("--seed", type=int, default=0, help="decides the first weights and the order of the examples")
    parser.add_argument("--goal", type=float, default=95.0, help="test accuracy to stop at, in per cent")
    parser.add_argument("--most", type=int, default=20, help="epochs after which it stops in any case")
    choices = parser.parse_args()

    peer = importlib.import_module(f"experiments.benchmark.peers.by_{choices.name}")
    train_images, train_labels, test_images, test_labels = mnist.load()
    random = np.random.default_rng(choices.seed)
    params = initial(random, [784, *choices.hidden, 10])
    targets = np.eye(10, dtype=np.float32)[train_labels]
    trainer = peer.trainer(params, train_images, targets, choices.batch_size, choices.rate)
    epochs, percent = 0, accuracy(params, test_images, test_labels)
    while percent < choices.goal and epochs < choices.most:
        trainer.run(random.permutation(len(train_images)))
        epochs, percent = epochs + 1, accuracy(trainer.params(), test_images, test_labels)
    print(json.dumps({"epochs": epochs, "accuracy": percent}))


def accuracy(params: Params, images: np.ndarray, labels: np.ndarray) -> float:
    """The share of images, in per cent, whose largest output is the one of their label."""
    return 100 * float(np.mean(by_numpy.activations(params, images)[-1].argmax(axis=1) == labels))


if __name__ == "__main__":
    main()
