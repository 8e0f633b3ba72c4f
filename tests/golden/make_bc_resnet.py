"""Make bc_resnet.npz: what BC-ResNet-1 gives in PyTorch, block by block.

PyTorch is no dependency of the project, its tests only read bc_resnet.npz. To make the file again:

    python3.11 -m venv torch-venv
    torch-venv/bin/pip install torch==2.13.0 numpy==2.4.6
    torch-venv/bin/python tests/golden/make_bc_resnet.py

The file there was made by Python 3.11.7, torch 2.13.0+cpu and numpy 2.4.6 on x86_64, one thread, in float64.

The network is typed anew after the paper ("Broadcasted residual learning for efficient keyword spotting",
2021) and its authors' repository; pictures are (batch, channels, bins, frames). `numbers` makes weights and
features from their places; its twin is in tests/test_bc_resnet.py. Layers with weights are numbered in order.

    blocks             every 11th value of the twelve blocks' outputs, (2, frames, bins, channels), ravelled,
                       one after the other, with the moving statistics
    logits             (2, 12)  with the moving statistics
    training_logits    (2, 12)  with the batch's own statistics, without dropout
    running_mean       (5, 8)   bands and channels: the first sub-spectral norm's moving statistics after
    running_var                 that one step of training
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

WIDTH, BANDS, CLASSES, FRAMES, BINS = 8, 5, 12, 30, 40
STAGES = ((8, 2, 1), (12, 2, 2), (16, 4, 2), (20, 4, 1))  # filters, blocks, stride over bins
EVERY = 11


def numbers(shape, offset: int) -> np.ndarray:
    """Return numbers in −1…1 without a pattern: the places' squares, modulo a prime."""
    places = np.arange(offset, offset + np.prod(shape), dtype=np.int64)
    return (places * places % 100003 / 50001 - 1).reshape(shape)


class SubSpectral(nn.Module):
    """Batch norm in which each band of bins counts as channels of its own."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels * BANDS)

    def forward(self, x):
        batch, channels, bins, frames = x.shape
        bands = x.reshape(batch, channels * BANDS, bins // BANDS, frames)
        return self.norm(bands).reshape(x.shape)


class Block(nn.Module):
    def __init__(self, before: int, filters: int, stride: int, dilation: int):
        super().__init__()
        self.is_first = before != filters
        if self.is_first:
            self.mix = nn.Sequential(
                nn.Conv2d(before, filters, 1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()
            )
        self.over_bins = nn.Sequential(
            nn.Conv2d(filters, filters, (3, 1), (stride, 1), (1, 0), groups=filters, bias=False),
            SubSpectral(filters),
        )
        self.over_time = nn.Sequential(
            nn.Conv2d(filters, filters, (1, 3), 1, (0, dilation), (1, dilation), groups=filters, bias=False),
            nn.BatchNorm2d(filters),
            nn.SiLU(),
            nn.Conv2d(filters, filters, 1, bias=False),
        )

    def forward(self, x):
        all_bins = self.over_bins(self.mix(x) if self.is_first else x)
        total = all_bins + self.over_time(all_bins.mean(2, keepdim=True))
        return torch.relu(total if self.is_first else total + x)


class BCResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 2 * WIDTH, 5, (2, 1), 2, bias=False), nn.BatchNorm2d(2 * WIDTH), nn.ReLU()
        )
        self.blocks = nn.ModuleList()
        before = 2 * WIDTH
        for index, (filters, blocks, stride) in enumerate(STAGES):
            for number in range(blocks):
                self.blocks.append(Block(before, filters, 1 if number else stride, 2**index))
                before = filters
        self.head = nn.Sequential(
            nn.Conv2d(before, before, 5, 1, (0, 2), groups=before, bias=False),
            nn.Conv2d(before, 4 * WIDTH, 1, bias=False),
            nn.BatchNorm2d(4 * WIDTH),
            nn.ReLU(),
        )
        self.logits = nn.Linear(4 * WIDTH, CLASSES)

    def forward(self, x):
        x, outputs = self.stem(x), []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return outputs, self.logits(self.head(x).mean((2, 3)))


def fill(model: nn.Module) -> None:
    """Set every weight to a number by its place, such that signals neither die nor explode."""
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.BatchNorm2d, nn.Linear))]
    for place, layer in enumerate(layers):
        offset, shape = 1000 * place, layer.weight.shape
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data = torch.from_numpy(1 + 0.5 * numbers(shape, offset + 100))
            layer.bias.data = torch.from_numpy(0.3 * numbers(shape, offset + 200))
            layer.running_mean = torch.from_numpy(0.3 * numbers(shape, offset + 300))
            layer.running_var = torch.from_numpy(1 + 0.5 * numbers(shape, offset + 400))
            continue
        layer.weight.data = torch.from_numpy(numbers(shape, offset) * (3 / layer.weight[0].numel()) ** 0.5)
        if layer.bias is not None:
            layer.bias.data = torch.from_numpy(numbers(layer.bias.shape, offset + 500))


def main() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    model = BCResNet()
    assert sum(weights.numel() for weights in model.parameters()) == 9232
    fill(model)
    features = torch.from_numpy(numbers((2, FRAMES, BINS, 1), 7)).permute(0, 3, 2, 1)
    with torch.no_grad():
        outputs, logits = model.eval()(features)
        _, training_logits = model.train()(features)
    norm = model.blocks[0].over_bins[1].norm
    stored = {
        "blocks": np.concatenate([x.permute(0, 3, 2, 1).numpy().ravel()[::EVERY] for x in outputs]),
        "logits": logits.numpy(),
        "training_logits": training_logits.numpy(),
        "running_mean": norm.running_mean.reshape(-1, BANDS).T.numpy(),
        "running_var": norm.running_var.reshape(-1, BANDS).T.numpy(),
    }
    stored = {name: array.astype(np.float32) for name, array in stored.items()}
    path = Path(__file__).with_name("bc_resnet.npz")
    np.savez_compressed(path, **stored)
    for name, array in stored.items():
        print(f"{name:18}{array.shape!s:10}{array.min():12.5g}{array.max():12.5g}{array.std():12.5g}")
    print(f"{path.name}: {path.stat().st_size} bytes, torch {torch.__version__}, numpy {np.__version__}")


if __name__ == "__main__":
    main()
