"""What every page and route shares: who may ask, in which form the answer goes, and how errors look."""
