"""Make the sample study again: `python sample_data/make_sample.py` rewrites `study/` and `truth.json`."""

from pathlib import Path

from cementct.testing.sample import write_sample_study

if __name__ == "__main__":
    print(write_sample_study(Path(__file__).parent))
