"""What a rule costs by its own lines: numbers kept, operations, bytes moved, length of the text."""
