"""A demonstration of the loop on this machine: simulated people, a server, and the effect of their feedback."""
