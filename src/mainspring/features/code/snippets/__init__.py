"""Code from elsewhere that helps to complete the code at a cursor."""
