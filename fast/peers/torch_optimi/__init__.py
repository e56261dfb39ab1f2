"""torch-optimi, whose module is optimi."""

REQUIRES = ("torch", "optimi")
