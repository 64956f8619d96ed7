"""The neural network of the famous lectures on handwritten digits, as pure functions in JAX.

At the top level stands what a first program needs, in the order of the lectures. The rest is read with its chapter:
`jaxnet.calculus.sharpness`, `jaxnet.chain_rule.factors`, `jaxnet.importance.rank`, `jaxnet.landscape.pca_plane`,
`jaxnet.devices.mesh`.
"""

from importlib.metadata import PackageNotFoundError, version

from jaxnet import calculus, chain_rule, devices, importance, landscape
from jaxnet.backprop import average_gradient, backprop, nudges
from jaxnet.checkpoint import Checkpoints, Interrupted
from jaxnet.cost import Loss, Penalty, accuracy, cost, cross_entropy, in_chunks, l2, squared_error
from jaxnet.data import Dataset, dataset, load, one_hot
from jaxnet.descent import State, descend, epoch, step
from jaxnet.distortions import distort
from jaxnet.export import export_classifier, load_params, save_params
from jaxnet.history import History
from jaxnet.network import (
    Activation,
    Layer,
    Params,
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
    unit_normal,
)
from jaxnet.newton import newton_cg
from jaxnet.training import Diverged, train

try:
    __version__ = version("jaxnet")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0+unknown"

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
    "nudges",
    # Examples (data.py, distortions.py)
    "Dataset",
    "load",
    "dataset",
    "one_hot",
    "distort",
    # Rolling downhill (descent.py, newton.py, history.py, training.py)
    "State",
    "step",
    "epoch",
    "descend",
    "train",
    "newton_cg",
    "History",
    "Diverged",
    "Checkpoints",
    "Interrupted",
    # For other programs (export.py)
    "save_params",
    "load_params",
    "export_classifier",
    # The other chapters
    "calculus",
    "chain_rule",
    "importance",
    "landscape",
    "devices",
]
