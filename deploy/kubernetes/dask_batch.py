"""A batch on Kubernetes through dask-kubernetes, whose operator has to be installed in the cluster.

    pip install 'cementct[cluster]' dask-kubernetes
    python dask_batch.py /data/studies /data/results --workers 8 --image cementct:cluster --claim data

It runs in a pod that mounts the claim at /data, as the workers do, so that all see the same paths. The image
is that of ``deploy/Containerfile`` with ``pip install distributed`` added.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Any

from dask_kubernetes.operator import KubeCluster, make_cluster_spec

MOUNTED_AT = "/data"


def cluster_spec(image: str, claim: str, workers: int) -> dict[str, Any]:
    """Return what the operator is asked for: workers with one core that see the data, and nothing else."""
    spec: dict[str, Any] = make_cluster_spec(
        name="cementct",
        image=image,
        n_workers=workers,
        resources={"requests": {"cpu": "1", "memory": "3Gi"}, "limits": {"cpu": "1", "memory": "4Gi"}},
    )
    pod = spec["spec"]["worker"]["spec"]
    pod["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    pod["automountServiceAccountToken"] = False
    container = pod["containers"][0]
    container["volumeMounts"] = [{"name": "data", "mountPath": MOUNTED_AT}]
    container["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    # One study at a time: a worker with several threads would share its memory among several.
    container["args"] += ["--nthreads", "1"]
    return spec


def main() -> int:
    """Start a cluster, run the batch on it, and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies")
    parser.add_argument("results")
    parser.add_argument("--image", required=True)
    parser.add_argument("--claim", required=True)
    parser.add_argument("--workers", type=int, default=4)
    wanted = parser.parse_args()
    spec = cluster_spec(wanted.image, wanted.claim, wanted.workers)
    with KubeCluster(custom_cluster_spec=spec) as cluster:
        command = ["cementct", "run", wanted.studies, "--out", wanted.results, "--skip-existing"]
        command += ["--scheduler", cluster.scheduler_address, "--study-timeout", "1800"]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
