"""truestep.torch: our own optimizers of torch, judged as any library's."""

REQUIRES = ("torch", "truestep.fast._core")
