"""The tools of the shop: identity first, policies before every write, refusals with their source."""
