"""The steps that turn interactions into data for training: functions over Arrow batches."""
