"""The neural network of the famous lectures on handwritten digits, as pure functions in JAX.

`__all__` is the table of contents, in the order of the lectures.
"""

from jaxnet.backprop import average_gradient, backprop, errors
from jaxnet.checkpoint import load_params, save_params
from jaxnet.cost import Loss, Penalty, accuracy, cost, cross_entropy, in_chunks, l2, squared_error
from jaxnet.data import Dataset, dataset, load, one_hot
from jaxnet.descent import Info, State, epoch, step
from jaxnet.history import History
from jaxnet.network import (
    Activation,
    Layer,
    Params,
    Trace,
    classify,
    count_params,
    forward,
    init,
    relu,
    scaled_normal,
    scaled_tanh,
    sigmoid,
    sizes_of,
    softmax,
    tanh,
    trace,
    unit_normal,
)
from jaxnet.training import Diverged, train, train_population

__all__ = [
    # What a neural network is: neurons, layers, weights and biases (network.py)
    "Layer",
    "Params",
    "init",
    "scaled_normal",
    "unit_normal",
    "count_params",
    "sizes_of",
    "forward",
    "classify",
    "trace",
    "Trace",
    "Activation",
    "sigmoid",
    "relu",
    "tanh",
    "scaled_tanh",
    "softmax",
    # How lousy it is (cost.py)
    "cost",
    "accuracy",
    "Loss",
    "squared_error",
    "cross_entropy",
    "Penalty",
    "l2",
    "in_chunks",
    # Backpropagation by hand (backprop.py)
    "backprop",
    "average_gradient",
    "errors",
    # Examples (data.py)
    "Dataset",
    "load",
    "dataset",
    "one_hot",
    # Rolling downhill (descent.py, history.py, training.py)
    "State",
    "Info",
    "step",
    "epoch",
    "train",
    "train_population",
    "History",
    "Diverged",
    # Nothing is lost (checkpoint.py)
    "save_params",
    "load_params",
]
