"""Both rings, and what every request carries through them."""
