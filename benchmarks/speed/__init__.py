"""Time and memory of reading and of whole runs, beside yardsticks of the same run, and how they grow."""
