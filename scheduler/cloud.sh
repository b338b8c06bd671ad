#!/usr/bin/env bash
# Prints every command from an empty project to a scheduled pipeline, in order; with APPLY=1 it runs
# them. Each is safe to repeat: what is there already stays as it is.
#
#     make cloud PROJECT=my-project REGION=europe-west1 [APPLY=1]
#
# By environment variables:
#     PROJECT, REGION   where everything is made
#     NAME              what the model is called in luigi.cfg
#     BUCKET            PROJECT-NAME
#     DATASET           predictions; SOURCE is the project.dataset that queries read: PROJECT.DATASET
#     ZONES             REGION-b, REGION-c; the scheduler's machine is in the first
#     NAT=1             a way out to the internet, which messages to Slack or by e-mail need
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${PROJECT:-}" ] || [ -z "${REGION:-}" ]; then
    echo "Say where: make cloud PROJECT=my-project REGION=europe-west1" >&2
    exit 2
fi
name=${NAME:-churn}
bucket=${BUCKET:-$PROJECT-$name}
dataset=${DATASET:-predictions}
source_dataset=${SOURCE:-$PROJECT.$dataset}
zones=${ZONES:-$REGION-b, $REGION-c}
zone=${zones%%,*}
registry=$REGION-docker.pkg.dev
images=$registry/$PROJECT/models
orchestrator=orchestrator@$PROJECT.iam.gserviceaccount.com
jobs=jobs@$PROJECT.iam.gserviceaccount.com
in_project="--project=$PROJECT"

# title WORDS; step COMMAND, a line of bash; once LOOK COMMAND: the second only if the first fails.
title() {
    printf '\n# %s\n' "$*"
}

step() {
    printf '%s\n' "$1"
    [ "${APPLY:-}" = 1 ] || return 0
    bash -euo pipefail -c "$1" || {
        echo "This failed: $1" >&2
        echo "Nothing after it was done. Mend it, and type the same \`make cloud\` again." >&2
        exit 1
    }
}

once() {
    step "$1 >/dev/null 2>&1 || $2"
}

grant_in_project() { # MEMBER ROLE
    step "gcloud projects add-iam-policy-binding $PROJECT --member=serviceAccount:$1 --role=$2 --condition=None --format=none"
}

title "The services that are used"
step "gcloud services enable artifactregistry.googleapis.com bigquery.googleapis.com compute.googleapis.com iam.googleapis.com iap.googleapis.com logging.googleapis.com secretmanager.googleapis.com storage.googleapis.com $in_project"

title "Where data, models and predictions lie. Nobody outside of the project can be let in by mistake"
once "gcloud storage buckets describe gs://$bucket $in_project" \
    "gcloud storage buckets create gs://$bucket $in_project --location=$REGION --uniform-bucket-level-access --public-access-prevention"
once "bq --project_id=$PROJECT show --dataset $PROJECT:$dataset" \
    "bq --project_id=$PROJECT --location=$REGION mk --dataset $PROJECT:$dataset"

title "Two accounts: the orchestrator, which makes machines, and the jobs that work on them"
once "gcloud iam service-accounts describe $orchestrator $in_project" \
    "gcloud iam service-accounts create orchestrator $in_project --display-name='Drives the pipeline'"
once "gcloud iam service-accounts describe $jobs $in_project" \
    "gcloud iam service-accounts create jobs $in_project --display-name='Trains and applies models'"

title "What each may do, and no more (docs/cloud.md)"
for account in "$orchestrator" "$jobs"; do
    step "gcloud storage buckets add-iam-policy-binding gs://$bucket --member=serviceAccount:$account --role=roles/storage.objectUser --format=none"
done
grant_in_project "$orchestrator" roles/bigquery.jobUser
step "bq --project_id=$PROJECT query --use_legacy_sql=false 'GRANT \`roles/bigquery.dataEditor\` ON SCHEMA \`$PROJECT.$dataset\` TO \"serviceAccount:$orchestrator\"'"
if [ "$source_dataset" != "$PROJECT.$dataset" ]; then
    step "bq --project_id=$PROJECT query --use_legacy_sql=false 'GRANT \`roles/bigquery.dataViewer\` ON SCHEMA \`$source_dataset\` TO \"serviceAccount:$orchestrator\"'"
fi
grant_in_project "$orchestrator" roles/compute.instanceAdmin.v1
step "gcloud iam service-accounts add-iam-policy-binding $jobs $in_project --member=serviceAccount:$orchestrator --role=roles/iam.serviceAccountUser --format=none"
grant_in_project "$jobs" roles/logging.logWriter
grant_in_project "$orchestrator" roles/logging.logWriter
once "gcloud iam roles describe machineDeleter $in_project" \
    "gcloud iam roles create machineDeleter $in_project --title='May delete machines' --permissions=compute.instances.delete"
grant_in_project "$jobs" "projects/$PROJECT/roles/machineDeleter"

title "Where images lie. Machines only read them"
once "gcloud artifacts repositories describe models $in_project --location=$REGION" \
    "gcloud artifacts repositories create models $in_project --location=$REGION --repository-format=docker"
for account in "$orchestrator" "$jobs"; do
    step "gcloud artifacts repositories add-iam-policy-binding models $in_project --location=$REGION --member=serviceAccount:$account --role=roles/artifactregistry.reader --format=none"
done

title "A network whose machines have no public address, and reach Google's services all the same"
once "gcloud compute networks describe models $in_project" \
    "gcloud compute networks create models $in_project --subnet-mode=custom"
once "gcloud compute networks subnets describe models $in_project --region=$REGION" \
    "gcloud compute networks subnets create models $in_project --region=$REGION --network=models --range=10.10.0.0/24 --enable-private-ip-google-access"

title "You may look at luigid by a tunnel of Google's (docs/scheduler.md); nobody else gets in"
once "gcloud compute firewall-rules describe models-tunnel $in_project" \
    "gcloud compute firewall-rules create models-tunnel $in_project --network=models --direction=INGRESS --source-ranges=35.235.240.0/20 --allow=tcp:22"

if [ "${NAT:-}" = 1 ]; then
    title "A way out to the internet, for messages to Slack, by e-mail, and for the heartbeat"
    once "gcloud compute routers describe models $in_project --region=$REGION" \
        "gcloud compute routers create models $in_project --region=$REGION --network=models"
    once "gcloud compute routers nats describe models $in_project --router=models --region=$REGION" \
        "gcloud compute routers nats create models $in_project --router=models --region=$REGION --auto-allocate-nat-external-ips --nat-all-subnet-ip-ranges"
fi

title "The image of the jobs, and the settings that name it"
step "gcloud auth configure-docker $registry --quiet"
step "image=\$(make --silent push IMAGE=$images/$name | tail -n 1); STORAGE=gs://$bucket WAREHOUSE=bigquery://$PROJECT/$dataset SOURCE=$source_dataset PROJECT=$PROJECT ZONES='$zones' SUBNETWORK=regions/$REGION/subnetworks/models ACCOUNT=$jobs IMAGE=\"\${image#image = }\" scheduler/settings.sh > cloud.cfg"

title "The image of the scheduler, with these settings, and its machine"
step "mkdir -p var; make --silent push-scheduler IMAGE=$images/$name-scheduler | tail -n 1 | sed 's/^image = //' > var/scheduler-image.txt"
once "gcloud compute instances describe $name-scheduler $in_project --zone=$zone" \
    "gcloud compute instances create $name-scheduler $in_project --zone=$zone --machine-type=e2-small --image-family=cos-stable --image-project=cos-cloud --boot-disk-size=20GB --subnet=models --no-address --service-account=$orchestrator --scopes=cloud-platform --shielded-secure-boot --shielded-vtpm --shielded-integrity-monitoring --metadata=google-logging-enabled=true --metadata-from-file=user-data=scheduler/cloud-init.yaml,boot-script=scheduler/boot.sh,image=var/scheduler-image.txt"
step "gcloud compute instances add-metadata $name-scheduler $in_project --zone=$zone --metadata-from-file=user-data=scheduler/cloud-init.yaml,boot-script=scheduler/boot.sh,image=var/scheduler-image.txt"

title "It looks for another image each minute. Whether all is set up, from here:"
step "LUIGI_CONFIG_PATH=cloud.cfg .venv/bin/python -m pipeline doctor"
