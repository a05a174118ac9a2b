"""OpenAI's interface of fine-tuning."""
