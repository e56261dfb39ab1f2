"""Submissions to published collections of kernel tasks, as backends.

formats.py tells which collection a path belongs to; kernelbench.py, gpumode.py and flashinfer.py
read a submission of theirs as a Task (task.py); fitting.py finds which of its inputs and outputs
are the rule's tensors and numbers, by their names (naming.py) and by the values of a step
(probe.py); backend.py makes the backend. asked.py is what is to be judged.
"""
