"""The order of the steps for one study, and batches of studies."""
