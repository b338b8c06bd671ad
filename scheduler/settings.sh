#!/usr/bin/env bash
# Prints the settings of a pipeline in the cloud, for cloud.cfg, from environment variables.
set -euo pipefail
cat <<END
# Made by \`make cloud\`, which makes it anew. In the scheduler's image it wins over luigi.cfg; on your
# machine it does when LUIGI_CONFIG_PATH names it. What is yours goes into luigi.cfg.

[pipeline]
storage = $STORAGE
warehouse = $WAREHOUSE
compute = google

[bigquery]
source_dataset = $SOURCE

[compute_engine]
project = $PROJECT
zones = $ZONES
subnetwork = $SUBNETWORK
service_account = $ACCOUNT
image = $IMAGE
END
