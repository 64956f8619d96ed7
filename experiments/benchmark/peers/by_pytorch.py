"""PyTorch: nn.Sequential, autograd and torch.optim.SGD, with the data as tensors in memory."""

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]

from experiments.benchmark.peers import Evaluation, Params, Trainer, batches


def trainer(
    params: Params, images: np.ndarray, targets: np.ndarray, batch_size: int, rate: float, compiled: bool = False
) -> Trainer:
    """Eager by default. `compiled`: forward and backward pass by torch.compile, when each size of batch first comes."""
    linear = [nn.Linear(w.shape[1], w.shape[0]) for w, _ in params]
    with torch.no_grad():
        for layer, (w, b) in zip(linear, params, strict=True):
            layer.weight.copy_(torch.from_numpy(w))
            layer.bias.copy_(torch.from_numpy(b))
    model = nn.Sequential(*(module for layer in linear for module in (layer, nn.Sigmoid())))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    x, y = torch.from_numpy(images), torch.from_numpy(targets)

    def cost(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return functional.mse_loss(model(x), y, reduction="sum") / len(x)

    if compiled:
        torch.compiler.reset()  # it counts what it compiled for earlier networks, and gives up at eight
        cost = torch.compile(cost, dynamic=False)

    def run(order: np.ndarray) -> None:
        for rows in batches(torch.from_numpy(order), batch_size, len(images)):
            optimizer.zero_grad()
            cost(x[rows], y[rows]).backward()
            optimizer.step()

    def now() -> Params:
        return [(layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy()) for layer in linear]

    def evaluation(images: np.ndarray, targets: np.ndarray) -> Evaluation:
        all_images, all_targets = torch.from_numpy(images), torch.from_numpy(targets)
        labels = all_targets.argmax(dim=1)

        @torch.no_grad()
        def evaluate() -> tuple[float, float]:
            a = model(all_images)
            value = functional.mse_loss(a, all_targets, reduction="sum") / len(a)
            return value.item(), (a.argmax(dim=1) == labels).float().mean().item()

        return evaluate

    return Trainer(run, now, evaluation)


def threads() -> int:
    """Those that PyTorch may use within one operation."""
    return torch.get_num_threads()
