"""What all routes share: who may ask, in which form answers go, and how errors look."""
