"""Code from elsewhere that helps to complete what stands at a cursor."""
