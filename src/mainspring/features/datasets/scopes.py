"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {
    "datasets": "read data sets",
    "curate": "make data sets, also of the traces that the key may see, and change them",
}
