"""Context engineering: for each call the model's input is assembled anew from tiers, within a token budget.

The tiers are the instruction, the memory of the person, the session (notes on older turns and the latest turns), the
tool calls of this turn with their results, and artifacts: long results, of which the model sees a part and a handle.
"""
