"""Writes optimizers.txt with PyTorch: parameters after some steps on a fixed quadratic.

One line per case: a name, the step, the four parameters. Element i starts at p[i]; its gradient is
w[i] * (p[i] - c[i]), everything in float64. Run once with PyTorch 1.13; the tests read the text.
"""
import torch

P = [0.5, -1.25, 3.0, -0.0625]
C = [0.25, 0.75, -1.5, 2.0]
W = [1.0, 0.5, 2.0, 0.125]

CASES = [
    ("sgd", torch.optim.SGD, dict(lr=0.1)),
    ("sgd_decay", torch.optim.SGD, dict(lr=0.1, weight_decay=0.05)),
    ("sgd_momentum", torch.optim.SGD, dict(lr=0.1, momentum=0.9)),
    ("sgd_dampening", torch.optim.SGD, dict(lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.01)),
    ("sgd_nesterov", torch.optim.SGD, dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)),
    ("rmsprop", torch.optim.RMSprop, dict()),
    ("rmsprop_decay", torch.optim.RMSprop, dict(lr=0.05, alpha=0.9, eps=1e-6, weight_decay=0.1)),
    ("rmsprop_centered", torch.optim.RMSprop, dict(centered=True)),
    ("rmsprop_momentum", torch.optim.RMSprop, dict(momentum=0.8)),
    ("rmsprop_all", torch.optim.RMSprop,
     dict(centered=True, momentum=0.8, weight_decay=0.02, alpha=0.95)),
    ("adam", torch.optim.Adam, dict()),
    ("adam_all", torch.optim.Adam, dict(lr=0.02, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1)),
    ("adamw", torch.optim.AdamW, dict()),
    ("adamw_all", torch.optim.AdamW, dict(lr=0.02, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1)),
]

with open("optimizers.txt", "w") as out:
    for name, kind, args in CASES:
        p = torch.tensor(P, dtype=torch.float64, requires_grad=True)
        optimizer = kind([p], **({"lr": 1e-3, **args} if kind is torch.optim.SGD else args))
        for step in range(1, 21):
            p.grad = torch.tensor(W, dtype=torch.float64) * (
                p.detach() - torch.tensor(C, dtype=torch.float64))
            optimizer.step()
            if step in (1, 2, 20):
                print(name, step, *[repr(v) for v in p.tolist()], file=out)
