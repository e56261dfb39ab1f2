"""Backends of what has no adapter: an optimizer is run, and what it computes is found.

names.py pairs its numbers with a rule's by name, trials.py runs it, forms.py evaluates the rule's
forms on the same tensors, matching.py pairs the states by value, probes.py decides between forms
that agree, and search.py puts these together. torch_classes.py, torch_rows.py and
torch_backend.py know how a torch.optim.Optimizer is run; specs.py reads what the command line is
given, and told.py says what was found. submissions/ are kernels as published tasks ask for them.
"""
