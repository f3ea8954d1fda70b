"""From a CT volume to its structures: vertebrae, cement, lesion; one file per structure."""
