#!/usr/bin/env python3
"""Writes activations.txt: values and vector-Jacobian products of PyTorch's activations in double.

Run once with PyTorch 1.13 (Debian python3-torch); the tests need the text only. Each block is the
op with its parameters, then lines "x y dy dx"; for a row function the lines are one row. Lines of
glu are "a b y dy da db". Points include the kinks.
"""
import pathlib

import torch
import torch.nn.functional as F

torch.manual_seed(20)
KINKS = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0, 0.25]
POINTS = torch.tensor(KINKS + [-8.0, -2.0, 2.0, 8.0, 15.0, -15.0] +
                      [round(v * 64) / 64 for v in (3 * torch.randn(14)).tolist()], dtype=torch.float64)

MAPS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "leaky_relu alpha=0.125": lambda x: F.leaky_relu(x, 0.125),
    "prelu": lambda x: F.prelu(x, torch.tensor([0.25], dtype=x.dtype)),
    "rrelu": lambda x: F.rrelu(x, training=False),
    "relu6": F.relu6,
    "thresholded_relu": lambda x: F.threshold(x, 1, 0),
    "elu": F.elu,
    "elu alpha=0.375": lambda x: F.elu(x, 0.375),
    "selu": F.selu,
    "celu": F.celu,
    "celu alpha=0.25": lambda x: F.celu(x, 0.25),
    "gelu": F.gelu,
    "gelu approximate=1": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "softplus beta=2": lambda x: F.softplus(x, 2, threshold=100),
    "softsign": F.softsign,
    "log_sigmoid": F.logsigmoid,
    "hard_sigmoid": lambda x: F.relu6(x + 3) / 6,  # F.hardsigmoid has a sixth in single precision
    # One by one: PyTorch's vector loop has another slope at 3 (1) than its plain loop (1.5).
    "hard_swish": lambda x: torch.stack([F.hardswish(v) for v in x]),
    "hard_tanh": F.hardtanh,
    "hard_tanh min=-0.5 max=3": lambda x: F.hardtanh(x, -0.5, 3),
    "soft_shrink": F.softshrink,
    "hard_shrink": F.hardshrink,
    "tanh_shrink": F.tanhshrink,
    "sine": lambda x: torch.sin(30 * x),
    "arctan": torch.atan,
}
ROWS = {
    "softmax": lambda x: F.softmax(x, -1),
    "softmax temperature=0.5": lambda x: F.softmax(x / 0.5, -1),
    "log_softmax": lambda x: F.log_softmax(x, -1),
    "softmin": lambda x: F.softmin(x, -1),
}


def pull(function, x):
    x = x.clone().requires_grad_()
    y = function(x)
    dy = torch.linspace(-2, 2, y.numel(), dtype=x.dtype).reshape(y.shape)
    dy = (dy * 16).round() / 16
    dx, = torch.autograd.grad(y, x, dy)
    return y.detach(), dy, dx


def lines(*columns):
    for row in zip(*[c.tolist() for c in columns]):
        yield " ".join(repr(v) for v in row) + "\n"


with open(pathlib.Path(__file__).parent / "activations.txt", "w") as out:
    out.write(f"# make_activations.py, PyTorch {torch.__version__}\n")
    for kind, functions in ("map", MAPS), ("row", ROWS):
        for name, function in functions.items():
            out.write(f"{kind} {name}\n")
            out.writelines(lines(POINTS, *pull(function, POINTS)))
    both = torch.cat([POINTS, POINTS.flip(0) / 2])
    y, dy, dx = pull(lambda x: F.glu(x, -1), both)
    out.write("pair glu\n")
    out.writelines(lines(*both.chunk(2), y, dy, *dx.chunk(2)))
