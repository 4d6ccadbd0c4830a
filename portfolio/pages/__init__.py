"""The pages: no tables and no state, only other slices' queries side by side."""
