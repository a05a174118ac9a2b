"""Plans: all wishes of a message read at once against the customer's orders, confirmed together, then done."""
