"""Written answers: chosen evidence, a few sentences by a chat model, each checked against the source that it cites."""
