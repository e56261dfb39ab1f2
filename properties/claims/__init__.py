"""What is often said of stochastic gradient descent, decided by experiments."""
