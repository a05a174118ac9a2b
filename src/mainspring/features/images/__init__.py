"""Images: by the models of providers, in OpenAI's shape."""
