"""Writes mlp_<optimizer>.txt with PyTorch: the losses of 100 steps of a 784-128-10 relu network and
the logits afterwards. Weights, images and labels are formulas that the test repeats bit for bit.
Run once with PyTorch 1.13, float32, one thread; the tests read the texts.
"""
import numpy as np
import torch

BATCH, STEPS, IN, HIDDEN, OUT = 64, 100, 784, 128, 10


def mix(x):
    """The bit mixer lowbias32 of Chris Wellons, on uint32."""
    x = x.astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x


def uniform(stream, n):
    """Element i of a stream: a float64 in [0, 1)."""
    i = np.arange(n, dtype=np.uint64) + np.uint64(stream) * np.uint64(0x1000000)
    return mix(i & np.uint64(0xFFFFFFFF)).astype(np.float64) / 2.0**32


def parameters():
    shapes = [(HIDDEN, IN), (HIDDEN,), (OUT, HIDDEN), (OUT,)]
    scales = [0.0625, 0.0625, 0.125, 0.125]
    return [torch.tensor(((uniform(k + 1, int(np.prod(s))) * 2 - 1) * a).astype(np.float32).reshape(s))
            for k, (s, a) in enumerate(zip(shapes, scales))]


def data():
    n = BATCH * STEPS
    label = (uniform(10, n) * OUT).astype(np.int64)
    prototype = uniform(11, OUT * IN).reshape(OUT, IN)
    noise = uniform(12, n * IN).reshape(n, IN)
    image = (0.125 * prototype[label] + 0.875 * noise).astype(np.float32)
    return torch.tensor(image), torch.tensor(label)


KINDS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=1e-3),
}

torch.set_num_threads(1)
images, labels = data()
for name, make in KINDS.items():
    w1, b1, w2, b2 = [p.requires_grad_() for p in parameters()]
    optimizer = make([w1, b1, w2, b2])

    def logits(x):
        return torch.nn.functional.linear(torch.relu(torch.nn.functional.linear(x, w1, b1)), w2, b2)

    with open(f"mlp_{name}.txt", "w") as out:
        for step in range(STEPS):
            part = slice(step * BATCH, (step + 1) * BATCH)
            loss = torch.nn.functional.cross_entropy(logits(images[part]), labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            print("loss", f"{loss.item():.9g}", file=out)
        for row in logits(images[:3]).tolist():
            print("logits", *[f"{v:.9g}" for v in row], file=out)
