"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {
    "desk": "work on the cases of customers: read, take, answer, close",
    "deliver": "hand in mail of customers, as a mail server does",
}
