"""The steps that make data for training of interactions: functions over Arrow batches."""
