"""What is kept of each call, and what the framework says to its operators."""
