"""Facts and routes to decisions."""
