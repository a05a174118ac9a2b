"""``mainspring eval`` and ``mainspring routes``."""
