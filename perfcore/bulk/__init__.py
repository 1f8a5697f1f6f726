"""Tables of questions for train, infer and match: a row in, an answer out, the same as asked one at a time."""
