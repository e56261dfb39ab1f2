"""gguf, llama.cpp's block formats in NumPy."""

REQUIRES = ("gguf",)
