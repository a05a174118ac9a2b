"""What is done to a question before it is searched: each technique a module, each optional, each with its cost."""
