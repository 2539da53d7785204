#!/usr/bin/env python3
"""limen gradcheck beside PyTorch's: the same 40 functions, 28 of them with a wrong gradient.

    cmake --build --preset release --target limen_cli limen_selftest
    /usr/bin/python3 tools/compare_gradcheck.py build/release

limen checks the ops of its self-test (tests/check/mutants); torch.autograd.gradcheck gets the same
functions as torch.autograd.Function, with its defaults and with fast_mode, on 20 normal numbers in
f64, or on 4 rows of 5. Prints a table; exits 0 whatever it says. Needs the torch package.
"""
import collections
import json
import math
import subprocess
import sys
import time

try:
    import torch
except ImportError:
    sys.exit("skipped: no torch for this Python (Debian: python3-torch, /usr/bin/python3)")

SIG, TANH, EXP = torch.sigmoid, torch.tanh, torch.exp
WHERE = torch.where
ELU, SLOPE = 1.5, 0.01


def zeros(x):
    return torch.zeros_like(x)


def relu(x):
    return x.clamp(min=0)


def softplus(x):
    return relu(x) + torch.log1p(EXP(-x.abs()))


def gelu(x):
    return 0.5 * x * torch.erfc(-x * math.sqrt(0.5))


def gelu_tanh(x, c=math.sqrt(2 / math.pi)):
    return 0.5 * x * (1 + TANH(c * (x + 0.044715 * x**3)))


def gelu_slope(x, pdf=1 / math.sqrt(2 * math.pi)):
    return 0.5 * torch.erfc(-x * math.sqrt(0.5)) + x * pdf * EXP(-x * x / 2)


def gelu_tanh_slope(x, c):
    u = c * (x + 0.044715 * x**3)
    return 0.5 * (1 + TANH(u)) + 0.5 * x / torch.cosh(u) ** 2 * c * (1 + 3 * 0.044715 * x * x)


def elu(x):
    return WHERE(x > 0, x, ELU * torch.expm1(x))


def leaky(x):
    return WHERE(x >= 0, x, SLOPE * x)


def row_sum(a):
    return a.sum(-1, keepdim=True)


def softmax(x):
    return torch.softmax(x, -1)


def row_max(x):
    return x.max(-1, keepdim=True).values.expand_as(x).clone()


# name of the op in limen's self-test: f(x), what backward returns for x, y and the upstream g.
WRONG = {
    "m01_sigmoid_plus": (SIG, lambda x, y, g: g * y * (1 + y)),
    "m02_sigmoid_of_x": (SIG, lambda x, y, g: g * x * (1 - x)),
    "m03_sigmoid_of_y": (SIG, lambda x, y, g: g * SIG(y) * (1 - SIG(y))),
    "m04_tanh_not_squared": (TANH, lambda x, y, g: g * (1 - y)),
    "m06_tanh_sign": (TANH, lambda x, y, g: -g * (1 - y * y)),
    "m07_relu_no_upstream": (relu, lambda x, y, g: (x > 0).to(x)),
    "m10_leaky_relu_input": (leaky, lambda x, y, g: g * WHERE(x >= 0, x, SLOPE + zeros(x))),
    "m11_leaky_relu_forgotten": (leaky, lambda x, y, g: g * (x > 0)),
    "m14_elu_no_alpha": (elu, lambda x, y, g: WHERE(x > 0, g, g * EXP(x))),
    "m18_silu_lost_x": (lambda x: x * SIG(x), lambda x, y, g: g * (SIG(x) + SIG(x) * SIG(-x))),
    "m21_gelu_no_pdf": (gelu, lambda x, y, g: g * gelu_slope(x, 0)),
    "m22_gelu_tanh_constant": (gelu_tanh, lambda x, y, g: g * gelu_tanh_slope(x, 0.7978)),
    "m25_hardsigmoid_outside": (lambda x: (x / 6 + 0.5).clamp(0, 1), lambda x, y, g: g / 6),
    "m28_relu6_no_top": (lambda x: x.clamp(0, 6), lambda x, y, g: g * (x > 0)),
    "m32_upstream_twice": (SIG, lambda x, y, g: g * g * y * (1 - y)),
    "m34_sigmoid_cut": (SIG, lambda x, y, g: WHERE(x.abs() > 6, zeros(x), g * y * (1 - y))),
    "m35_sigmoid_overflow": (SIG, lambda x, y, g: g * EXP(-x) / (1 + EXP(-x)) ** 2),
    "m36_silu_overflow": (
        lambda x: x * SIG(x),
        lambda x, y, g: g * (1 + EXP(-x) + x * EXP(-x)) / (1 + EXP(-x)) ** 2,
    ),
    "m37_additive": (SIG, lambda x, y, g: g * y * (1 - y) + 1e-4),
    "m39_float_literal": (
        lambda x: math.sqrt(0.5) * x,
        lambda x, y, g: g * float(torch.tensor(math.sqrt(0.5), dtype=torch.float32)),
    ),
    "m42_relu_two_at_zero": (relu, lambda x, y, g: WHERE(x == 0, 2 * g, g * (x > 0))),
    "m43_abs_nan_at_zero": (torch.abs, lambda x, y, g: g * x / x.abs()),
    "m45_clipped": (lambda x: 3 * x, lambda x, y, g: (3 * g).clamp(-1, 1)),
    "m47_relative_1e7": (TANH, lambda x, y, g: g * (1 - y * y) * 1.0000001),
    "m53_wrong_at_one": (lambda x: x * x, lambda x, y, g: WHERE(x == 1, g, 2 * g * x)),
    "r01_softmax_diagonal": (softmax, lambda x, y, g: g * y * (1 - y)),
    "r10_softmax_zero": (softmax, lambda x, y, g: 0 * g),
    "r12_max_all_ties": (
        row_max,
        lambda x, y, g: WHERE(x == x.max(-1, keepdim=True).values, row_sum(g), zeros(x)),
    ),
}

RIGHT = {
    "c01_relu_zero_at_kink": (relu, lambda x, y, g: g * (x > 0)),
    "c02_relu_one_at_kink": (relu, lambda x, y, g: g * (x >= 0)),
    "c07_hardswish_outer_slopes": (
        lambda x: x * (x + 3).clamp(0, 6) / 6,
        lambda x, y, g: WHERE(x < -3, zeros(x), WHERE(x > 3, g, g * (x / 3 + 0.5))),
    ),
    "c10_sigmoid_of_y": (SIG, lambda x, y, g: g * y * (1 - y)),
    "c12_exp": (EXP, lambda x, y, g: g * y),
    "c13_huge_slope": (lambda x: 1e30 * x, lambda x, y, g: 1e30 * g),
    "c15_steep_sigmoid": (lambda x: SIG(10000 * x), lambda x, y, g: 10000 * g * y * (1 - y)),
    "c16_fast_sine": (
        lambda x: torch.sin(1000 * x),
        lambda x, y, g: 1000 * g * torch.cos(1000 * x),
    ),
    "c18_round": (torch.round, lambda x, y, g: zeros(g)),
    "c23_gelu": (gelu, lambda x, y, g: g * gelu_slope(x)),
    "c49_huge_tanh": (
        lambda x: 1e6 * TANH(x / 50),
        lambda x, y, g: 1e6 / 50 * g / torch.cosh(x / 50) ** 2,
    ),
    "c37_softmax": (softmax, lambda x, y, g: y * (g - row_sum(y * g))),
}


def as_function(f, b):
    class Checked(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = f(x)
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, g):
            return b(*ctx.saved_tensors, g)

    return Checked.apply


def by_torch(fast):
    """name -> whether the gradient is accepted, and the seconds for all of them."""
    accepted, begin = {}, time.perf_counter()
    for name, (f, b) in {**WRONG, **RIGHT}.items():
        torch.manual_seed(0)
        shape = (4, 5) if name[0] == "r" or "softmax" in name else (20,)
        x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        accepted[name] = torch.autograd.gradcheck(
            as_function(f, b), (x,), fast_mode=fast, raise_exception=False
        )
    return accepted, time.perf_counter() - begin


def by_limen(build):
    """The same, and how many ops were checked in those seconds: whole libraries, isolated."""
    libraries = [f"{build}/lib/limen/selftest/{name}.so" for name in ("element_wise", "rows", "right")]
    command = [f"{build}/bin/limen", "gradcheck", *libraries, "--json"]
    begin = time.perf_counter()
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    if not run.stdout:
        sys.exit(f"skipped: {' '.join(command)} says nothing: {run.stderr}")
    verdicts = collections.defaultdict(set)
    for check in json.loads(run.stdout)["checks"]:
        verdicts[check["op"]].add(check["verdict"])
    accepted = {}
    for name in [*WRONG, *RIGHT]:
        if name not in verdicts:
            sys.exit(f"no op {name} in the self-test")
        accepted[name] = verdicts[name] == {"pass"}
    return accepted, seconds, len(verdicts)


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build/release"
    results = {}
    for name, fast in (("torch gradcheck", False), ("torch gradcheck, fast", True)):
        results[name], seconds = by_torch(fast)
        results[name, "ms"] = 1000 * seconds / len(results[name])
    results["limen gradcheck"], seconds, ops = by_limen(build)
    results["limen gradcheck", "ms"] = 1000 * seconds / ops
    print(f"| {len(WRONG)} wrong and {len(RIGHT)} right gradients | caught | missed | false alarms |"
          " ms a function |\n|---|---|---|---|---|")
    notes = []
    for name in ("torch gradcheck", "torch gradcheck, fast", "limen gradcheck"):
        accepted = results[name]
        missed = [op for op in WRONG if accepted[op]]
        alarms = [op for op in RIGHT if not accepted[op]]
        print(f"| {name} | {len(WRONG) - len(missed)} | {len(missed)} | {len(alarms)} |"
              f" {results[name, 'ms']:.1f} |")
        for what, ops_of in (("misses", missed), ("rejects", alarms)):
            if ops_of:
                notes.append(f"{name} {what} {', '.join(ops_of)}")
    print("\n" + "\n".join(notes))


if __name__ == "__main__":
    main()
