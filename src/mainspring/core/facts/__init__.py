"""The facts of events: one frozen dataclass per event kind. Each field is marked with what an erasure does with it.

``base`` has their base classes, ``registry`` knows all kinds and reads them, ``derived`` computes from the marks what
an erasure keeps, what a data subject is shown, and the columns of each kind.
"""
