"""Cement in real scans and real masks by somebody who knew the contract and not the algorithms."""
