"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {
    "review": "take answers from review queues and label them",
    "curate": "make review queues, see all labels, agreement and thresholds",
}
