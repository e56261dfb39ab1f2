"""adafactor8bit, its AdamW on a first moment in 8 and 4 bits."""

REQUIRES = ("torch", "adafactor8bit")
