"""Make pyramid.npz: what the published Capture-24 network gives in PyTorch, layer by layer.

PyTorch is no dependency of the project, its tests only read pyramid.npz. To make the file again:

    python3.11 -m venv torch-venv
    torch-venv/bin/pip install torch==2.13.0 numpy==2.4.6
    torch-venv/bin/python tests/golden/make_pyramid.py

The file there was made by Python 3.11.7, torch 2.13.0+cpu and numpy 2.4.6 on x86_64, one thread, in float64.

2,776,357 weights are too many to store: `numbers` makes them, and the features, from their places alone. Its
twin is in tests/test_pyramid.py. Weights are in PyTorch's layout, (out, in, rows, columns) and (out, in).

    block_0 … block_4   every 13th value of the five blocks' outputs, (2, rows, columns, channels), ravelled,
                        with the moving statistics
    shapes              (5, 3)  rows, columns and channels of the same
    logits              (2, 5)  with the moving statistics
    training_logits     (2, 5)  with the batch's own statistics
    running_mean_0 …    (32,)   the first block's moving statistics after that one training step
    running_var_0
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

KERNELS = (3, 3, 4, 4, 4)
STRIDES = (2, 2, 2, 2, 1)
PADDING = (1, 1, 1, 1, 0)
FILTERS = (32, 64, 128, 256, 512)
EVERY = 13


def numbers(shape, offset: int) -> np.ndarray:
    """Return numbers in −1…1 without a pattern: the places' squares, modulo a prime."""
    places = np.arange(offset, offset + np.prod(shape), dtype=np.int64)
    return (places * places % 100003 / 50001 - 1).reshape(shape)


class Pyramid(nn.Module):
    def __init__(self, channels: int, num_classes: int):
        super().__init__()
        widths = (channels, *FILTERS)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(widths[i], widths[i + 1], KERNELS[i], STRIDES[i], PADDING[i], bias=False),
                nn.BatchNorm2d(widths[i + 1]),
                nn.ReLU(),
            )
            for i in range(5)
        )
        self.head = nn.Conv2d(FILTERS[-1], num_classes, 1)

    def forward(self, x):
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return outputs, self.head(x)[:, :, 0, 0]


def fill(model: Pyramid) -> None:
    """Set every weight to a number by its place, large enough that signals neither die nor explode."""
    for i, block in enumerate(model.blocks):
        convolution, norm = block[0], block[1]
        fan_in = convolution.weight[0].numel()
        convolution.weight.data = torch.from_numpy(
            numbers(convolution.weight.shape, 1000 * i) * (6 / fan_in) ** 0.5
        )
        filters = len(norm.weight)
        norm.weight.data = torch.from_numpy(1 + 0.5 * numbers(filters, 1000 * i + 100))
        norm.bias.data = torch.from_numpy(0.3 * numbers(filters, 1000 * i + 200))
        norm.running_mean = torch.from_numpy(0.3 * numbers(filters, 1000 * i + 300))
        norm.running_var = torch.from_numpy(1 + 0.5 * numbers(filters, 1000 * i + 400))
    model.head.weight.data = torch.from_numpy(numbers(model.head.weight.shape, 5000) / 10)
    model.head.bias.data = torch.from_numpy(numbers(len(model.head.bias), 5100))


def main() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    model = Pyramid(3, 5)
    assert sum(weights.numel() for weights in model.parameters()) == 2_776_357
    fill(model)
    features = torch.from_numpy(numbers((2, 61, 61, 3), 7)).permute(0, 3, 1, 2)
    with torch.no_grad():
        outputs, logits = model.eval()(features)
        _, training_logits = model.train()(features)
    outputs = [output.permute(0, 2, 3, 1).numpy() for output in outputs]
    arrays = {f"block_{i}": output.ravel()[::EVERY] for i, output in enumerate(outputs)}
    arrays |= {"logits": logits.numpy(), "training_logits": training_logits.numpy()}
    arrays |= {
        f"{name}_0": getattr(model.blocks[0][1], name).numpy() for name in ("running_mean", "running_var")
    }
    stored = {name: array.astype(np.float32) for name, array in arrays.items()}
    stored["shapes"] = np.array([output.shape[1:] for output in outputs], np.int32)
    path = Path(__file__).with_name("pyramid.npz")
    np.savez_compressed(path, **stored)
    for name, array in stored.items():
        print(f"{name:16}{array.shape!s:10}{array.min():12.5g}{array.max():12.5g}{array.std():12.5g}")
    print(f"{path.name}: {path.stat().st_size} bytes, torch {torch.__version__}, numpy {np.__version__}")


if __name__ == "__main__":
    main()
