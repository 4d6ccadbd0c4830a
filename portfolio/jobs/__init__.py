"""Background work: one interface, and the engine inside the web process."""
