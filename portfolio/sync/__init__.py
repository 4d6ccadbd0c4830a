"""The heart: stored rows and a snapshot become a plan, which passes gates and is applied whole."""
