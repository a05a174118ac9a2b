"""Our own small models: tokenizers, transformers that read like a textbook, objectives, and the loop that trains them.

``listed`` names the recipes and needs no torch; all modules that need it are imported by the process of a run alone.
"""
