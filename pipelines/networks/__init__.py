"""Network architectures, shared by recipes."""
