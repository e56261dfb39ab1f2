"""transformers, Adafactor and schedules."""

REQUIRES = ("torch", "transformers")
