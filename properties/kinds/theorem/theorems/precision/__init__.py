"""Where narrow formats stall, and what removes it."""
