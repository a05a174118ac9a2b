"""Graph retrieval: entities and relations of documents, and the passages that a walk along them finds.

``extract`` reads one document's graph by rules and ``written`` by a chat model; ``resolve`` matches names of the same
entity; ``assemble`` joins the graphs of the documents that a caller may see; ``pagerank``, ``paths`` and
``communities`` work on the result; ``graphs`` is the interface for searches and answers.
"""
