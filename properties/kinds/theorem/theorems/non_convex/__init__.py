"""What holds without convexity: stationary points, the Polyak-Lojasiewicz rate, descent."""
