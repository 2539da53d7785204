"""Prints the median microseconds of one PyTorch training step: SIZES ACTIVATION BATCH.

One thread; forward, softmax cross entropy, backward, SGD with momentum 0.9.
"""
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before the import
import torch

torch.set_num_threads(1)
sizes = [int(s) for s in sys.argv[1].split("-")]
activation = {"relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh}[sys.argv[2]]
batch = int(sys.argv[3])

layers = []
for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
    layers.append(torch.nn.Linear(inputs, outputs))
    if i + 2 < len(sizes):
        layers.append(activation())
net = torch.nn.Sequential(*layers)
loss_of = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
x = torch.rand(batch, sizes[0])
label = torch.arange(batch) % sizes[-1]


def step():
    optimizer.zero_grad(set_to_none=True)
    loss_of(net(x), label).backward()
    optimizer.step()


for _ in range(30):
    step()
times = []
end = time.perf_counter() + 2
while time.perf_counter() < end or len(times) < 20:
    begin = time.perf_counter()
    step()
    times.append((time.perf_counter() - begin) * 1e6)
times.sort()
print(times[len(times) // 2])
