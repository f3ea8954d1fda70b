"""Simulated spines by somebody who knew the contract and not the algorithms, nor the other phantoms."""
