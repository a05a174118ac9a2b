"""Post-processing: rules in files that users edit, applied to answers while they stream."""
