"""What votes say of models and of voters."""
