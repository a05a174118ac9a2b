"""A battle: the question, the two models, their answers, the vote."""
