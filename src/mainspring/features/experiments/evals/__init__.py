"""OpenAI's evals: definitions with graders, and runs of them, which are experiments."""
