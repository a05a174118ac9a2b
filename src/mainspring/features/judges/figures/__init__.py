"""What a judge is worth, from its scores beside people's labels."""
