"""For authors of adapters: the contract suite, a clock that can be turned, a network in process."""
