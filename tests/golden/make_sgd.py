"""Make sgd.npz: what torch.optim.SGD does under CosineAnnealingLR, step by step.

PyTorch is no dependency of the project, its tests only read sgd.npz. To make the file again:

    python3.11 -m venv torch-venv
    torch-venv/bin/pip install torch==2.13.0 numpy==2.4.6
    torch-venv/bin/python tests/golden/make_sgd.py

The file there was made by Python 3.11, torch 2.13.0+cpu on x86_64, one thread, in float64.

    gradients  (12, 4)  of each step
    rates      (12,)    0.2 to 1/40 of it on one cosine over 12 steps
    weights    (13, 4)  before, and after each step: momentum 0.9, weight_decay 0.05
"""

from pathlib import Path

import numpy as np
import torch

STEPS = 12


def main() -> None:
    torch.set_default_dtype(torch.float64)
    gradients = np.random.default_rng(0).normal(size=(STEPS, 4))
    weights = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5, 0.0]))
    optimizer = torch.optim.SGD([weights], lr=0.2, momentum=0.9, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS, eta_min=0.2 / 40)
    path, rates = [weights.detach().numpy().copy()], []
    for gradient in gradients:
        rates.append(schedule.get_last_lr()[0])
        weights.grad = torch.from_numpy(gradient)
        optimizer.step()
        schedule.step()
        path.append(weights.detach().numpy().copy())
    file = Path(__file__).with_name("sgd.npz")
    np.savez_compressed(file, gradients=gradients, rates=np.array(rates), weights=np.array(path))
    print(f"{file.name}: {file.stat().st_size} bytes, torch {torch.__version__}, {path[-1]}")


if __name__ == "__main__":
    main()
