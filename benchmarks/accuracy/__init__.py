"""Accuracy on cases that nothing was tuned on."""
