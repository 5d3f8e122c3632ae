"""The storage SCU: results to peers."""
