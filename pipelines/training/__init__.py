"""How the starter weights are made."""
