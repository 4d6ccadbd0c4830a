"""For authors of adapters: a contract suite, a clock to turn, a network in process."""
