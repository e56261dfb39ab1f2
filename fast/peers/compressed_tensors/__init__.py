"""compressed-tensors, the quantization of vLLM's checkpoints."""

REQUIRES = ("compressed_tensors", "loguru", "psutil", "torch", "transformers")
