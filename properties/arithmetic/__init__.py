"""The arithmetics in which a reference is evaluated: exact, error-carrying and simulated."""
