"""Algebraic invariants that name no rule, and the table of which rule obeys which."""
