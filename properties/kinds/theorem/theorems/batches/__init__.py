"""Batches: their variance, how they are drawn, put together, and how late they come."""
