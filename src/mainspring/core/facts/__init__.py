"""The facts of events: one frozen dataclass per event kind. Each field is marked with what an erasure does with it.

``base`` is what they are made of, ``registry`` knows all kinds and reads them, ``derived`` is what follows from the
marks: what an erasure leaves, what a data subject is shown, and the columns of each kind.
"""
