"""Rules that know curvature: finite termination, quadratic rates, preconditioners."""
