"""The assistant: an everyday chatbot that is served as the model ``assistant``."""
