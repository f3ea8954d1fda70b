"""Bad studies given to the command line: how each run ends, in which time and memory."""
