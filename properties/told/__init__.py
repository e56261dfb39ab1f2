"""What is told of a failure beside its numbers: where it errs, in which line, and a program."""
