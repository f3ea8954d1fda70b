"""Readers fed with damaged files: they may read or refuse them, in bounded time and memory."""
