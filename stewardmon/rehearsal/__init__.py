"""Rules tried out: against written series, against the past, and for other programs to read."""
