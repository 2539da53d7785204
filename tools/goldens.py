#!/usr/bin/env python3
"""Golden values of activations, from their definitions in high precision.

    tools/goldens.py NAME...     the members golden_source and golden[] of plugins/NAME.cpp
    tools/goldens.py --check     whether the tables in plugins/*.cpp are what this program prints

Needs python3-mpmath. Points have few bits, so that they are the same numbers in f32 and f64.
"""
import pathlib
import re
import sys

import mpmath
from mpmath import mp, mpf

mp.dps = 50
PLUGINS = pathlib.Path(__file__).resolve().parent.parent / "plugins"
POINTS = [-40, -8, -3, -2, -0.5, -2**-10, 0, 2**-10, 0.5, 1.25, 3, 8, 40]


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def relu(x):
    return x if x > 0 else mpf(0)


def elu(x, alpha=1):
    return x if x > 0 else alpha * mp.expm1(x)


def softplus(x):
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def clamp(x, low, high):
    return min(max(x, mpf(low)), mpf(high))


def cdf(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


SELU_SCALE, SELU_ALPHA = mpf("1.0507009873554805"), mpf("1.6732632423543772")

# name: (definition, points or None for POINTS, {kink: slope there})
FAMILY = {
    "sigmoid": (sigmoid, None, {}),
    "tanh": (mp.tanh, None, {}),
    "relu6": (lambda x: clamp(x, 0, 6), [-8, -0.5, 0, 2**-10, 0.5, 3, 6, 8], {0: 0, 6: 0}),
    "thresholded_relu": (lambda x: x if x > 1 else mpf(0),
                         [-8, -0.5, 0, 0.5, 1, 1.25, 3, 40], {1: 0}),
    "squared_relu": (lambda x: relu(x)**2, None, {0: 0}),
    "elu": (elu, None, {}),
    "selu": (lambda x: SELU_SCALE * elu(x, SELU_ALPHA), None, {0: SELU_SCALE * SELU_ALPHA}),
    "celu": (elu, None, {}),
    "gelu": (lambda x: x * cdf(x), None, {}),
    "quick_gelu": (lambda x: x * sigmoid(mpf("1.702") * x), None, {}),
    "silu": (lambda x: x * sigmoid(x), None, {}),
    "mish": (lambda x: x * mp.tanh(softplus(x)), None, {}),
    "softplus": (softplus, None, {}),
    "softsign": (lambda x: x / (1 + abs(x)), None, {0: 1}),
    "log_sigmoid": (lambda x: -softplus(-x), None, {}),
    "hard_sigmoid": (lambda x: clamp((x + 3) / 6, 0, 1), [-8, -3, -1.25, 0, 2**-10, 1.25, 3, 8],
                     {-3: 0, 3: 0}),
    "hard_swish": (lambda x: x * clamp(x + 3, 0, 6) / 6, [-8, -3, -1.25, 0, 2**-10, 1.25, 3, 8],
                   {-3: -0.5, 3: 1.5}),
    "hard_tanh": (lambda x: clamp(x, -1, 1), [-8, -1, -0.5, 0, 2**-10, 0.5, 1, 8], {-1: 0, 1: 0}),
    "soft_shrink": (lambda x: x - clamp(x, -0.5, 0.5), [-8, -0.5, -0.25, 0, 0.5, 0.75, 3, 40],
                    {-0.5: 0, 0.5: 0}),
    "hard_shrink": (lambda x: x if abs(x) > 0.5 else mpf(0), [-8, -0.5, -0.25, 0, 0.5, 0.75, 3, 40],
                    {-0.5: 0, 0.5: 0}),
    "tanh_shrink": (lambda x: x - mp.tanh(x), None, {}),
    "snake": (lambda x: x + mp.sin(x)**2, [-8, -3, -2, -0.5, -2**-10, 0, 2**-10, 0.5, 1.25, 3, 8], {}),
    "sine": (lambda x: mp.sin(30 * x), [-8, -3, -1.25, -0.5, -2**-10, 0, 2**-10, 0.5, 1.25, 3, 8],
             {}),
    "gaussian": (lambda x: mp.exp(-x * x), [-8, -3, -1.25, -0.5, -2**-10, 0, 2**-10, 0.5, 1.25, 3,
                                            5, 8], {}),
    "arctan": (mp.atan, None, {}),
}

# Functions of rows: of the whole row.
ROW = [3, 1, -3, 0.5, 2.75, -40, -2, 3]
ROWS = {
    "softmax": lambda row: [mp.exp(x) / sum(map(mp.exp, row)) for x in row],
    "softmin": lambda row: [mp.exp(-x) / sum(mp.exp(-t) for t in row) for x in row],
    "log_softmax": lambda row: [x - mp.log(sum(map(mp.exp, row))) for x in row],
}

# Gated units: of a and b; with the derivatives by both.
PAIRS = [(2, -40), (-3, -8), (1, -2), (0.5, -0.5), (-1, 0), (0.75, 0.5), (2, 3), (-0.25, 8), (3, 40)]
GATES = {"glu": sigmoid, "reglu": relu, "geglu": lambda b: b * cdf(b),
         "swiglu": lambda b: b * sigmoid(b)}


def text(value):
    """The shortest decimal that reads back as the nearest double."""
    shown = repr(float(value))
    return shown[:-2] if shown.endswith(".0") else shown


def slope_of(f, x):
    with mpmath.workdps(100):  # a difference quotient loses half of the digits
        slope = mp.diff(f, x, h=mpf(10)**-45)
    return mpf(0) if abs(slope) < mpf(10)**-50 else slope


def rows(name):
    """Each golden point as C++ text."""
    if name in GATES:
        for a, b in [tuple(map(mpf, pair)) for pair in PAIRS]:
            gate = GATES[name](b)
            slope = mpf(0) if name == "reglu" and b == 0 else slope_of(GATES[name], b)
            yield "{{%s, %s}, {%s}, {%s, %s}}" % tuple(map(text, (a, b, a * gate, gate, a * slope)))
    elif name in ROWS:
        for pair in zip(ROW, ROWS[name](list(map(mpf, ROW)))):
            yield "{%s, %s}" % tuple(map(text, pair))
    else:
        f, xs, kinks = FAMILY[name]
        for x in map(mpf, xs or POINTS):
            slope = kinks[x] if x in kinks else slope_of(f, x)
            yield "{%s, %s, %s}" % tuple(map(text, (x, f(x), slope)))


def members(name):
    kind = "sample<2, 1>" if name in GATES else "point"
    return (f'  static constexpr auto golden_source = "mpmath {mpmath.__version__}, 50 digits";\n'
            f"  static constexpr limen::{kind} golden[] = {{{', '.join(rows(name))}}};\n")


def numbers(source):
    table = re.search(r"golden\[\] = \{(.*?)\};", source, re.S)
    return re.sub(r"\s", "", table.group(1)) if table else ""


def check():
    wrong = 0
    for name in [*FAMILY, *ROWS, *GATES]:
        file = PLUGINS / f"{name}.cpp"
        if file.exists() and "mpmath" in file.read_text() and name not in ("sigmoid", "tanh"):
            if numbers(file.read_text()) != numbers(members(name)):
                print(f"{file.name}: the golden table differs")
                wrong += 1
    return wrong


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--check":
        sys.exit(1 if check() else 0)
    for argument in sys.argv[1:]:
        print(members(argument), end="")
