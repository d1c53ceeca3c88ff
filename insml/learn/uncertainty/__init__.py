"""One file per method that says how much a network's answer is worth."""
