"""Fine-tuning of encoders: embedders, rerankers, readers, support checks and classifiers.

``listed`` names the recipes and needs no torch; ``data``, ``figures``, ``made``, ``options`` and ``weights``
need none either. The rest is imported in the process of a run alone.
"""
