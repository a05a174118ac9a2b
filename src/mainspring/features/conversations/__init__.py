"""OpenAI's conversations: items that outlive a response, to which responses can be added."""
