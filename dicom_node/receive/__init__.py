"""The storage SCP: objects from the network to durable files and catalog rows."""
