"""mup, the authors' maximal update parametrization."""

REQUIRES = ("torch", "mup")
