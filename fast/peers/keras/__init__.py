"""Keras on its torch backend."""

REQUIRES = ("torch", "keras")
