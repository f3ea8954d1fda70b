"""A batch on Slurm through dask-jobqueue: workers come and go as jobs, and no study is lost with one of them.

    pip install 'cementct[cluster]' dask-jobqueue
    python dask_batch.py /data/studies /data/results --most-jobs 32 --queue normal

Input and results have to lie on a file system that all nodes see under the same path.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from dask_jobqueue import SLURMCluster


def main() -> int:
    """Start a cluster, run the batch on it, and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies")
    parser.add_argument("results")
    parser.add_argument("--queue", default="normal")
    parser.add_argument("--most-jobs", type=int, default=16)
    wanted = parser.parse_args()
    with SLURMCluster(
        queue=wanted.queue,
        cores=1,
        processes=1,
        memory="4GB",
        walltime="04:00:00",
        # The same Python as here, with the package in it.
        python=sys.executable,
        # A worker ends by itself before Slurm kills it; its study is given to another.
        worker_extra_args=["--lifetime", "225m", "--lifetime-stagger", "10m"],
    ) as cluster:
        cluster.adapt(minimum_jobs=1, maximum_jobs=wanted.most_jobs)
        command = ["cementct", "run", wanted.studies, "--out", wanted.results, "--skip-existing"]
        command += ["--scheduler", cluster.scheduler_address, "--study-timeout", "1800"]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
