"""Documents as pieces: what is said and is translated, and what is kept as it is."""
