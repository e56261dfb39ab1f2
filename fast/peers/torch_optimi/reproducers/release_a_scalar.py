"""Steps a vector and a scalar in the backward pass: release_a_scalar.py OPTIMIZER."""

import sys

import optimi
import torch

for shape in ((1,), ()):
    model = torch.nn.Module()
    model.weight = torch.nn.Parameter(torch.ones(shape))
    make = getattr(optimi, sys.argv[1])
    optimizer = make(model.parameters(), lr=1.0, gradient_release=True)
    optimi.prepare_for_gradient_release(model, optimizer)
    try:
        model.weight.sum().backward()
        print(shape, "stepped")
    except TypeError as error:
        print(shape, error)
