"""Backends of what has no adapter: an optimizer is run, and what it computes is found.

names.py pairs its numbers with a rule's by name, trials.py runs it, forms.py evaluates the rule's
forms on the same tensors, matching.py pairs the states by value, probes.py decides between forms
that agree, and search.py puts these together. torch_classes.py, torch_rows.py and
torch_backend.py know how a torch.optim.Optimizer is run, nested.py and counted.py what it keeps in
containers and by the count, torch_kept.py and torch_together.py what it keeps elsewhere, and what
its parameters share; functions.py runs plain functions, as written.py reads them, and by it
transformations.py optax, keras_optimizers.py Keras and c_functions.py C. submissions/ are kernels
as published tasks ask for them. specs.py reads what the command line is given, and told.py says
what was found. How it rounds is left open for the judge to find.
"""
