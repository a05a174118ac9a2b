"""The feature's links of the chain of migrations."""
