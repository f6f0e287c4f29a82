"""What a stranger may send, against everything that reads it."""
