#!/bin/bash
# A sweep on several nodes of a Slurm cluster:
#
#   sbatch docker/slurm.sh sweep.yaml /shared/runs
#
# shortlist must be on the PATH of every node, the storage folder and the home folder on a file system that all see. Two minutes before
# the time is up (or where the job is preempted) the driver gets SIGTERM, closes its journal, and the job queues again and goes on.
#SBATCH --job-name=shortlist
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --mem=0
#SBATCH --exclusive
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
set -euo pipefail

sweep=${1:?usage: sbatch slurm.sh SWEEP.yaml STORAGE}
storage=${2:?usage: sbatch slurm.sh SWEEP.yaml STORAGE}
port=${RAY_PORT:-6379}
temporary=${RAY_TMPDIR:-/tmp/ray-$SLURM_JOB_ID}

# A token for this job alone, which only its user can read.
umask 077
tokens=${XDG_CONFIG_HOME:-$HOME/.config}/shortlist
mkdir -p "$tokens"
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$tokens/slurm-$SLURM_JOB_ID"
python3 -c 'import secrets; print(secrets.token_hex(32), end="")' > "$RAY_AUTH_TOKEN_PATH"

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=$(srun --overlap --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" hostname --ip-address)
head=${head%% *}

steps=()
finish() {
  for step in "${steps[@]}"; do kill -TERM "$step" 2> /dev/null || true; done
  wait "${steps[@]}" 2> /dev/null || true
  rm -f "$RAY_AUTH_TOKEN_PATH"
}
trap finish EXIT

srun --overlap --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" \
  ray start --head --block --node-ip-address="$head" --port="$port" --temp-dir="$temporary" \
  --include-dashboard=false --num-cpus="$SLURM_CPUS_PER_TASK" --disable-usage-stats &
steps+=($!)
until ray health-check --address "$head:$port" 2> /dev/null; do
  kill -0 "${steps[0]}" || { echo "the head node's Ray did not start" >&2; exit 1; }
  sleep 1
done
for node in "${nodes[@]:1}"; do
  srun --overlap --nodes=1 --ntasks=1 --nodelist="$node" \
    ray start --block --address="$head:$port" --num-cpus="$SLURM_CPUS_PER_TASK" --disable-usage-stats &
  steps+=($!)
done

shortlist run "$sweep" --address "$head:$port" --storage "$storage" &
driver=$!
asked=no
trap 'asked=yes; kill -TERM "$driver"' TERM
code=0
wait "$driver" || code=$?
if [ "$asked" = yes ]; then # `wait` came back for the signal: now for the driver itself
  wait "$driver" || code=$?
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
