"""OpenVINO GenAI in a child process."""
