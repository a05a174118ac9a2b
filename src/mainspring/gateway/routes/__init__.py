"""Routes of models and documents."""
