#!/usr/bin/env bash
# Prints, in order, every command from an empty project of Google Cloud to a scheduled pipeline. With
# APPLY=1 it runs them too, and stops at the first that fails. What is there already is left as it is,
# so it can be run again at any time.
#
# By environment variables; docs/scheduler.md tells what they are about:
#     PROJECT, REGION   where; needed
#     NAME              the model's name in luigi.cfg; churn
#     BUCKET            for data, models and predictions; PROJECT-pipeline
#     DATASET           where predictions go; predictions
#     SOURCE_DATASET    project.dataset, where queries find the tables that they name; DATASET
#     LOCATION          of both, as BigQuery calls it, such as EU; REGION
#     REPOSITORY        of Artifact Registry; pipeline
#     ZONE              of the scheduler's machine; REGION-b
#     ZONES             of the jobs' machines; REGION-b, REGION-c
#     NAT=1             a way to the internet, which heartbeats and messages to Slack or by e-mail need
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${PROJECT:-}" ] || [ -z "${REGION:-}" ]; then
    echo "Name the project and the region: make cloud PROJECT=my-project REGION=europe-west1" >&2
    exit 2
fi
name=${NAME:-churn}
bucket=${BUCKET:-$PROJECT-pipeline}
dataset=${DATASET:-predictions}
source=${SOURCE_DATASET:-$PROJECT.$dataset}
repository=${REPOSITORY:-pipeline}
location=${LOCATION:-$REGION}
zone=${ZONE:-$REGION-b}
zones=${ZONES:-$REGION-b, $REGION-c}
registry=$REGION-docker.pkg.dev/$PROJECT/$repository
machine=$name-scheduler
orchestrator=orchestrator@$PROJECT.iam.gserviceaccount.com
jobs=jobs@$PROJECT.iam.gserviceaccount.com
to_orchestrator=serviceAccount:$orchestrator
to_jobs=serviceAccount:$jobs

explain() {
    echo
    printf '# %s\n' "$@"
}

# run COMMAND: print a line of shell, and with APPLY=1 run it in this shell.
run() {
    printf '%s\n' "$1"
    [ "${APPLY:-}" = 1 ] || return 0
    eval "$1" || {
        printf '\nThis failed, and nothing after it was done. Correct it and run the same again:\n%s\n' "$1" >&2
        exit 1
    }
}

# unless TEST COMMAND: run COMMAND where TEST fails.
unless() {
    run "$1 >/dev/null 2>&1 ||"$'\n'"    $2"
}

at() {
    printf -- '--project %s' "$PROJECT"
}

grant_on_project() {
    run "gcloud projects add-iam-policy-binding $PROJECT \\
    --member $1 --role $2 --condition None --format none"
}

grant_on_dataset() {
    run "bq query --project_id $PROJECT --location $location --use_legacy_sql=false \\
    'GRANT \`$1\` ON SCHEMA \`$2\` TO \"$to_orchestrator\"'"
}

enable_services() {
    explain "The services of Google Cloud that are used"
    run "gcloud services enable $(at) artifactregistry.googleapis.com bigquery.googleapis.com \\
    compute.googleapis.com iam.googleapis.com iap.googleapis.com logging.googleapis.com \\
    secretmanager.googleapis.com storage.googleapis.com"
}

make_accounts() {
    explain "Two accounts: who gives the orders, and who the jobs' machines are (docs/cloud.md)"
    for account in orchestrator jobs; do
        unless "gcloud iam service-accounts describe $account@$PROJECT.iam.gserviceaccount.com $(at)" \
            "gcloud iam service-accounts create $account $(at) --display-name $account"
    done
    explain "All that a job's machine may do to machines: delete itself"
    unless "gcloud iam roles describe machineDeleter $(at)" \
        "gcloud iam roles create machineDeleter $(at) --title 'Machine deleter' \\
        --permissions compute.instances.delete"
    explain "What both may do in the project, and that the one may start machines as the other"
    grant_on_project "$to_orchestrator" roles/bigquery.jobUser
    grant_on_project "$to_orchestrator" roles/compute.instanceAdmin.v1
    grant_on_project "$to_orchestrator" roles/logging.logWriter
    grant_on_project "$to_jobs" roles/logging.logWriter
    grant_on_project "$to_jobs" "projects/$PROJECT/roles/machineDeleter"
    run "gcloud iam service-accounts add-iam-policy-binding $jobs $(at) \\
    --member $to_orchestrator --role roles/iam.serviceAccountUser --format none"
}

make_bucket() {
    explain "The bucket: nobody else gets in, what is deleted can be had back for a week"
    unless "gcloud storage buckets describe gs://$bucket $(at)" \
        "gcloud storage buckets create gs://$bucket $(at) --location $REGION \\
        --uniform-bucket-level-access --public-access-prevention --soft-delete-duration 7d"
    for member in "$to_orchestrator" "$to_jobs"; do
        run "gcloud storage buckets add-iam-policy-binding gs://$bucket $(at) \\
    --member $member --role roles/storage.objectUser --format none"
    done
}

make_dataset() {
    explain "The dataset that predictions go to, and the one that queries read"
    unless "bq show --project_id $PROJECT --dataset $PROJECT:$dataset" \
        "bq mk --project_id $PROJECT --location $location --dataset $PROJECT:$dataset"
    grant_on_dataset roles/bigquery.dataEditor "$PROJECT.$dataset"
    [ -z "${SOURCE_DATASET:-}" ] || grant_on_dataset roles/bigquery.dataViewer "$source"
}

make_repository() {
    explain "The repository of both images"
    unless "gcloud artifacts repositories describe $repository $(at) --location $REGION" \
        "gcloud artifacts repositories create $repository $(at) --location $REGION \\
        --repository-format docker"
    for member in "$to_orchestrator" "$to_jobs"; do
        run "gcloud artifacts repositories add-iam-policy-binding $repository $(at) --location $REGION \\
    --member $member --role roles/artifactregistry.reader --format none"
    done
}

make_network() {
    explain "A network whose machines have no public address, yet reach Google's services and its registry"
    unless "gcloud compute networks describe pipeline $(at)" \
        "gcloud compute networks create pipeline $(at) \\
        --subnet-mode custom"
    unless "gcloud compute networks subnets describe pipeline $(at) --region $REGION" \
        "gcloud compute networks subnets create pipeline $(at) --region $REGION --network pipeline \\
        --range 10.10.0.0/24 --enable-private-ip-google-access"
    explain "From outside: an SSH tunnel by Identity-Aware Proxy to the scheduler, for whom the project allows it"
    unless "gcloud compute firewall-rules describe pipeline-iap $(at)" \
        "gcloud compute firewall-rules create pipeline-iap $(at) --network pipeline \\
        --direction INGRESS --allow tcp:22 --source-ranges 35.235.240.0/20 \\
        --target-tags scheduler"
    [ "${NAT:-}" = 1 ] || return 0
    explain "To the outside, for messages and heartbeats. Nothing else needs it"
    unless "gcloud compute routers describe pipeline $(at) --region $REGION" \
        "gcloud compute routers create pipeline $(at) --region $REGION --network pipeline"
    unless "gcloud compute routers nats describe pipeline $(at) --region $REGION --router pipeline" \
        "gcloud compute routers nats create pipeline $(at) --region $REGION --router pipeline \\
        --nat-all-subnet-ip-ranges --auto-allocate-nat-external-ips"
}

# The jobs' image is named in luigi.cfg, and luigi.cfg is in the scheduler's image.
push_images() {
    local named="^image = $registry/$name@sha256:"
    explain "The jobs' image, unless luigi.cfg names one of this repository already"
    run "gcloud auth configure-docker $REGION-docker.pkg.dev --quiet"
    unless "grep '$named' luigi.cfg" "make push IMAGE=$registry/$name"
    explain "In luigi.cfg, with the line that make push printed last:" \
        "    [pipeline]" "    storage = gs://$bucket/$name" "    warehouse = bigquery://$PROJECT/$dataset" \
        "    compute = google" "    [bigquery]" "    source_dataset = $source" "    [compute_engine]" \
        "    project = $PROJECT" "    zones = $zones" "    subnetwork = regions/$REGION/subnetworks/pipeline" \
        "    service_account = $jobs" "    image = $registry/$name@sha256:..."
    if [ "${APPLY:-}" = 1 ] && ! grep -q "$named" luigi.cfg; then
        echo "Put these lines into luigi.cfg and run the same again: the rest needs them." >&2
        exit 3
    fi
    explain "The scheduler's image, with that luigi.cfg"
    run "scheduler=\$(make push-scheduler IMAGE=$registry/$machine | sed -n 's/^scheduler = //p')"
    run "test -n \"\$scheduler\""
}

make_machine() {
    explain "The machine that drives it all, and its image when there is a newer one"
    unless "gcloud compute instances describe $machine $(at) --zone $zone" \
        "gcloud compute instances create $machine $(at) --zone $zone --machine-type e2-small \\
        --image-family cos-stable --image-project cos-cloud \\
        --boot-disk-size 20GB --subnet pipeline --no-address --tags scheduler --labels name=$name \\
        --service-account $orchestrator --scopes cloud-platform \\
        --shielded-secure-boot --shielded-vtpm --shielded-integrity-monitoring \\
        --maintenance-policy MIGRATE --deletion-protection \\
        --metadata google-logging-enabled=true,enable-oslogin=TRUE,scheduler-image=\$scheduler \\
        --metadata-from-file user-data=scheduler/cloud-init.yaml"
    unless "gcloud compute instances describe $machine $(at) --zone $zone \\
    --format 'value(metadata.items)' | grep -F \"\$scheduler\"" \
        "{ gcloud compute instances add-metadata $machine $(at) --zone $zone \\
        --metadata scheduler-image=\$scheduler \\
        --metadata-from-file user-data=scheduler/cloud-init.yaml &&
    gcloud compute instances stop $machine $(at) --zone $zone &&
    gcloud compute instances start $machine $(at) --zone $zone; }"
    explain "Its page, on http://localhost:8082, and its log" \
        "gcloud compute ssh $machine $(at) --zone $zone --tunnel-through-iap -- -L 8082:localhost:8082" \
        "gcloud compute ssh $machine $(at) --zone $zone --tunnel-through-iap --command 'sudo docker logs --tail 100 scheduler'"
}

enable_services
make_accounts
make_bucket
make_dataset
make_repository
make_network
push_images
make_machine
