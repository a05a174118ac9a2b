"""Smart Compose: suggests how a mail goes on while it is typed (guide F.1, example 4)."""
