"""The neural network of the famous lectures on handwritten digits, as pure functions in JAX.

`__all__` is the table of contents, in the order of the lectures.
"""

from jaxnet import devices
from jaxnet.backprop import Nudges, average_gradient, average_nudges, backprop, errors, nudges
from jaxnet.calculus import (
    Curvature,
    Field,
    directional_derivative,
    gradient,
    gradient_field,
    hessian_vector_product,
    on_grid,
    partial_derivative,
    sharpness,
)
from jaxnet.chain_rule import Factors, factors, paths, product
from jaxnet.checkpoint import Checkpoints, Interrupted
from jaxnet.cost import Loss, Penalty, accuracy, cost, cross_entropy, in_chunks, l2, squared_error
from jaxnet.data import Dataset, as_bytes, brightness, dataset, load, on_bytes, one_hot
from jaxnet.descent import Info, State, epoch, step
from jaxnet.distortions import affine, distort, elastic, warp
from jaxnet.export import export_classifier, load_params, save_params
from jaxnet.history import History
from jaxnet.importance import Ranking, per_weight, rank
from jaxnet.landscape import (
    PCA,
    Noise,
    Plane,
    Walk,
    cosine,
    noise_scale,
    on_plane,
    pca_plane,
    random_direction,
    walk,
)
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
    # Functions of many variables (calculus.py)
    "partial_derivative",
    "gradient",
    "directional_derivative",
    "hessian_vector_product",
    "sharpness",
    "Curvature",
    "gradient_field",
    "Field",
    "on_grid",
    # Backpropagation by hand (backprop.py)
    "backprop",
    "average_gradient",
    "nudges",
    "average_nudges",
    "Nudges",
    "errors",
    # The chain rule, factor by factor (chain_rule.py)
    "factors",
    "Factors",
    "product",
    "paths",
    # Which weights matter most (importance.py)
    "rank",
    "Ranking",
    "per_weight",
    # Examples (data.py)
    "Dataset",
    "load",
    "dataset",
    "one_hot",
    "as_bytes",
    "brightness",
    "on_bytes",
    # The same digits in another hand (distortions.py)
    "distort",
    "affine",
    "elastic",
    "warp",
    # Rolling downhill (descent.py, history.py, training.py)
    "State",
    "Info",
    "step",
    "epoch",
    "train",
    "train_population",
    "History",
    "Diverged",
    # Many devices, and runs that are saved (devices.py, checkpoint.py)
    "devices",
    "Checkpoints",
    "Interrupted",
    # The ground it walks on (landscape.py)
    "on_plane",
    "Plane",
    "random_direction",
    "pca_plane",
    "PCA",
    "cosine",
    "walk",
    "Walk",
    "noise_scale",
    "Noise",
    # For other programs (export.py)
    "save_params",
    "load_params",
    "export_classifier",
]
