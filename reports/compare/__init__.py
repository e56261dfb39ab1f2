"""Rules side by side on several axes: counted, learned, timed and proven."""
