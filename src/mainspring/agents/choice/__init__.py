"""Choice of tools for models that choose badly: by rules, examples, embeddings and a cross-encoder.

A small model is asked only for what it can do: to write the arguments of one tool, which is known, under its grammar.
"""
