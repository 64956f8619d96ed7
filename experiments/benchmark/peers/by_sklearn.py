"""scikit-learn: MLPClassifier on one-hot targets, one `partial_fit` for each epoch.

One-hot targets are for it ten labels that may each be there or not: the outputs are sigmoids, and the cost is the mean
over the batch of -sum_j [y_j ln a_j + (1 - y_j) ln(1 - a_j)]. That is cross-entropy, not squared error, and its twin in
jaxnet has `loss=jaxnet.cross_entropy`. Without momentum and with alpha=0 (no weight decay) its "sgd" is
w <- w - rate dC/dw.
"""

import numpy as np
from sklearn.neural_network import MLPClassifier  # pyright: ignore[reportMissingImports]

from experiments.benchmark.peers import Evaluation, Params, Trainer
from experiments.benchmark.peers.by_numpy import threads as threads  # NumPy does the arithmetic


def trainer(params: Params, images: np.ndarray, targets: np.ndarray, batch_size: int, rate: float) -> Trainer:
    """The model has no weights before its first step, so it takes one, and the given ones are then put in their place.

    Its own shuffling cannot be told an order. Instead the examples are put in order before each epoch, by one copy,
    and taken as they come.
    """
    model = MLPClassifier(
        hidden_layer_sizes=[len(b) for _, b in params[:-1]],
        activation="logistic",
        solver="sgd",
        alpha=0.0,
        learning_rate="constant",
        learning_rate_init=rate,
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=False,
    )

    def run(order: np.ndarray) -> None:
        model.set_params(batch_size=min(batch_size, len(order)))  # it warns of a batch larger than the data
        rows = slice(None) if batch_size == len(order) == len(images) else order
        model.partial_fit(images[rows], targets[rows], classes=np.arange(targets.shape[1]))

    run(np.arange(1))
    for coefficients, intercepts, (w, b) in zip(model.coefs_, model.intercepts_, params, strict=True):
        coefficients[...] = w.T
        intercepts[...] = b

    def evaluation(images: np.ndarray, targets: np.ndarray) -> Evaluation:
        labels = targets.argmax(axis=1)

        def evaluate() -> tuple[float, float]:
            a: np.ndarray = model.predict_proba(images)  # pyright: ignore[reportAssignmentType]
            costs = -np.sum(targets * np.log(a) + (1 - targets) * np.log1p(-a), axis=1)
            return float(np.mean(costs)), float(np.mean(a.argmax(axis=1) == labels))

        return evaluate

    def now() -> Params:
        return [(w.T.copy(), b.copy()) for w, b in zip(model.coefs_, model.intercepts_, strict=True)]

    return Trainer(run, now, evaluation)
