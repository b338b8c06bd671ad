#!/usr/bin/env bash
# Trains the model that is in force today (UTC), unless that is done: with the schedule `monthly` the
# model of the 1st.
set -euo pipefail
date=$(python -m pipeline model-date "$(date -u +%F)")
exec luigi --module pipeline TrainModel --date "$date"
