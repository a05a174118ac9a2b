"""The lake: events as Parquet files, joined to interactions, and cleaned for training."""
