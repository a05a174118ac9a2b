"""The quality of a judge, from its scores beside people's labels."""
