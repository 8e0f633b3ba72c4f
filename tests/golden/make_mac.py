"""Make mac.npz: what the overlapped-speech network gives in PyTorch, group by group.

PyTorch is no dependency of the project, its tests only read mac.npz. To make the file again:

    python3.11 -m venv torch-venv
    torch-venv/bin/pip install torch==2.13.0 numpy==2.4.6
    torch-venv/bin/python tests/golden/make_mac.py

The file there was made by Python 3.11, torch 2.13.0+cpu on x86_64, one thread, in float64.

The network is MAC of width 3, four channels and seven classes, once with each pooling. `numbers` makes its
weights, and the features, from their places alone; its twin is in tests/test_mac.py. A weight's offset is a
thousand times its place in `state_dict()`, so that a test fills them in the same order.

    <pooling>_maps             every 41st value of the outputs of the first convolution, each group and the
                               last block, with the moving statistics: (4, rows, columns, channels), ravelled
    <pooling>_logits           (4, 7)   with the moving statistics
    <pooling>_training_logits  (4, 7)   with the batch's own statistics, without dropout
    <pooling>_running_mean     (6,)     the first batch norm's moving statistics after that one training step
    <pooling>_running_var      (6,)
    <pooling>_last_running_var (24,)    the last batch norm's, of four values each
    gradients                  (2,)     norm of the gradient of the mean square of the training logits, with
                                        average and maximum pooling, over all weights
    sizes                      (6,)     rows of the outputs
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

WIDTH, CHANNELS, CLASSES = 3, 4, 7
EVERY = 41


def numbers(shape, offset: int) -> np.ndarray:
    """Return numbers in −1…1 without a pattern: the places' squares, modulo a prime."""
    places = np.arange(offset, offset + np.prod(shape), dtype=np.int64)
    return (places * places % 100003 / 50001 - 1).reshape(shape)


class Block(nn.Sequential):
    def __init__(self, before: int, filters: int, kernel: int):
        super().__init__(
            nn.BatchNorm2d(before), nn.LeakyReLU(0.1), nn.Conv2d(before, filters, kernel, padding=kernel // 2)
        )


class Group(nn.Sequential):
    def __init__(self, before: int, filters: int):
        super().__init__(
            Block(before, filters, 1), *(Block(filters, filters, kernel) for kernel in (3, 1, 3))
        )


class Mac(nn.Module):
    def __init__(self, width: int, channels: int, num_classes: int, pooling: str):
        super().__init__()
        self.first = nn.Conv2d(channels, 2 * width, 6, stride=2, padding=2)
        widths = [multiple * width for multiple in (2, 1, 2, 4, 6, 8)]
        self.groups = nn.ModuleList(Group(widths[i], widths[i + 1]) for i in range(5))
        self.last = Block(8 * width, 16 * width, 1)
        self.pool = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}[pooling](2)
        self.pool_all = {"average": nn.AdaptiveAvgPool2d, "max": nn.AdaptiveMaxPool2d}[pooling](1)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * width, 8 * width),
            nn.Dropout(0.25),
            nn.BatchNorm1d(8 * width),
            nn.LeakyReLU(0.25),
            nn.Linear(8 * width, num_classes),
        )

    def forward(self, x):
        maps = [self.first(x)]
        for i, group in enumerate(self.groups):
            maps.append(group(maps[-1] if i == 0 else self.pool(maps[-1])))
        maps.append(self.last(maps[-1]))
        return maps, self.head(self.pool_all(maps[-1]))


def fill(model: nn.Module) -> None:
    """Set every weight to a number by its place, large enough that signals neither die nor explode."""
    kept = {name: value for name, value in model.state_dict().items() if value.ndim}
    for place, (name, value) in enumerate(kept.items()):
        drawn = numbers(value.shape, 1000 * place)
        if value.ndim > 1:
            drawn *= (3 / value[0].numel()) ** 0.5
        elif name.endswith("running_var") or (f"{name[:-6]}running_var" in kept and name.endswith("weight")):
            drawn = 1 + 0.5 * drawn
        else:
            drawn *= 0.3
        value.copy_(torch.from_numpy(drawn))


def main() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    assert sum(weights.numel() for weights in Mac(24, 4, 30, "max").parameters()) == 1_539_918
    features = torch.from_numpy(numbers((4, 160, 160, CHANNELS), 7)).permute(0, 3, 1, 2)
    stored, gradients = {}, []
    for pooling in ("average", "max"):
        model = Mac(WIDTH, CHANNELS, CLASSES, pooling)
        fill(model)
        with torch.no_grad():
            maps, logits = model.eval()(features)
        model.train().head[2].eval()
        _, training_logits = model(features)
        training_logits.square().mean().backward()
        gradients.append(sum(w.grad.square().sum() for w in model.parameters()).sqrt().item())
        values = [part.permute(0, 2, 3, 1).numpy().ravel()[::EVERY] for part in maps]
        norm = model.groups[0][0][0]
        stored |= {
            f"{pooling}_maps": np.concatenate(values),
            f"{pooling}_logits": logits.numpy(),
            f"{pooling}_training_logits": training_logits.detach().numpy(),
            f"{pooling}_running_mean": norm.running_mean.numpy(),
            f"{pooling}_running_var": norm.running_var.numpy(),
            f"{pooling}_last_running_var": model.head[3].running_var.numpy(),
        }
    stored["gradients"] = np.array(gradients)
    stored = {name: array.astype(np.float32) for name, array in stored.items()}
    stored["sizes"] = np.array([part.shape[2] for part in maps[:-1]], np.int32)
    path = Path(__file__).with_name("mac.npz")
    np.savez_compressed(path, **stored)
    for name, array in stored.items():
        print(f"{name:26}{array.shape!s:10}{array.min():12.5g}{array.max():12.5g}{array.std():12.5g}")
    print(f"{path.name}: {path.stat().st_size} bytes, torch {torch.__version__}, numpy {np.__version__}")


if __name__ == "__main__":
    main()
