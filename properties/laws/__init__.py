"""What laws of every kind share: claims and their judgement, tables, and which entries hold."""
