"""How far a network's answers can be trusted: splits, shifts, metrics, one report."""
