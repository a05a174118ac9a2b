"""Graph retrieval: entities and relations of documents, and what can be found by walking from one to the other.

``extract`` reads one document's graph by rules and ``written`` by a chat model; ``resolve`` says which names mean the
same; ``assemble`` joins the graphs of the documents that somebody may see; ``walk``, ``paths`` and ``communities`` work
on that; ``graphs`` is what searches and answers use.
"""
