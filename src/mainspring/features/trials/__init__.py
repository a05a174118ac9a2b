"""Online experiments: the arms of a route compared on its traffic, with tests that one may look at any time."""
