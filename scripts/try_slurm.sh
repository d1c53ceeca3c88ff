#!/usr/bin/env bash
# Data sets through a real Slurm of this one machine: what an array of jobs makes against what one process makes.
#
#     sudo scripts/try_slurm.sh [IMAGES_PER_CANDIDATE]      (default: 130, three shards; Debian or Ubuntu, root)
#
# Installs slurm-wlm and munge where they are missing; starts munged, slurmctld and slurmd with keys, state and
# configuration in a temporary folder, and ends them. Nothing is left but the two packages.
set -euo pipefail

images=${1:-130}
project=$(cd "$(dirname "$0")/.." && pwd)
insml=$project/.venv/bin/insml
study=square_antiferromagnet
parts=3

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'try_slurm: %s\n' "$*" >&2; exit 1; }

[[ $EUID -eq 0 ]] || fail "expected root, for daemons that start jobs"
[[ -x $insml ]] || fail "expected $insml; CONTRIBUTING.md says how to make it"
if ! command -v slurmctld slurmd munged >/dev/null; then
    say "installing slurm-wlm and munge"
    # daemons are started below, with a configuration of their own
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install -y --no-install-recommends slurm-wlm munge >/dev/null
fi

folder=$(mktemp -d --tmpdir insml-slurm.XXXXXX)
chmod 755 "$folder"   # munged wants to be reached by all
started=()
finish() {
    status=$?
    for ((i = ${#started[@]} - 1; i >= 0; i--)); do kill "${started[i]}" 2>/dev/null || true; done
    wait || true
    if [[ $status -eq 0 ]]; then rm -rf "$folder"; else printf 'try_slurm: logs are in %s\n' "$folder" >&2; fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start() {   # NAME COMMAND...: in the background, until the script ends
    local name=$1
    shift
    "$@" >"$folder/$name.log" 2>&1 &
    started+=($!)
}
until_true() {   # SECONDS COMMAND...
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || return 1
        sleep 0.5
    done
}

say "starting Slurm"
host=$(hostname -s)
dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 status=none
chmod 600 "$folder/munge.key"
start munged munged --foreground --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
    --pid-file="$folder/munge.pid" --seed-file="$folder/munge.seed"
until_true 20 munge --no-input --socket="$folder/munge.socket" || fail "munged does not answer"

# what slurmd itself finds of processors and memory
node=$(slurmd -C | head -n 1)
cat >"$folder/slurm.conf" <<CONF
ClusterName=insml
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/controller
SlurmdSpoolDir=$folder/node
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
KillWait=2
$node NodeAddr=127.0.0.1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
mkdir -p "$folder/controller" "$folder/node"
export SLURM_CONF=$folder/slurm.conf
start slurmctld slurmctld -D
start slurmd slurmd -D
idle() { [[ $(sinfo --noheader --format=%t) == idle ]]; }
until_true 60 idle || fail "the node does not become idle: $(sinfo --noheader --format='%t %E' 2>&1)"
sinfo --noheader --format='%n: %c processors, %m MB, %t'

export OMP_NUM_THREADS=1
work=$folder/work
mkdir "$work"
cd "$work"
checksums() { (cd "$1" && sha256sum ./*.npy); }
same() { diff <(checksums local) <(checksums "$1") && echo "$1: all $(checksums "$1" | wc -l) shards as one process makes them"; }

say "one process"
"$insml" dataset "$study" --n "$images" --out local --threads 1

say "an array of jobs, sent by submitit"
"$insml" dataset "$study" --n "$images" --out array --threads 1 --executor slurm --job-folder jobs \
    --job-option timeout_min=30 --job-option cpus_per_task=1
same array

say "the array of scripts/dataset.sbatch"
sbatch --wait --quiet --array=0-$((parts - 1)) --time=30 --output=sbatch-%a.log \
    --export=ALL,PATH="$project/.venv/bin:$PATH" "$project/scripts/dataset.sbatch" "$study" "$images" scripted
same scripted

say "one job of an array is killed"
"$insml" dataset "$study" --n "$images" --out killed --threads 1 --executor slurm --job-folder jobs \
    --job-option timeout_min=30 --job-option cpus_per_task=1 2>killed.log &
command=$!
started+=("$command")
running() { [[ -n $(squeue --noheader --states=RUNNING --array --format=%i) ]]; }
until_true 60 running || fail "no job of the array runs"
victim=$(squeue --noheader --states=RUNNING --array --format=%i | head -n 1)
scancel --signal=KILL "$victim"
if wait "$command"; then fail "expected the command to complain about job $victim, found none"; fi
tail -n 1 killed.log
[[ -z $(squeue --noheader) ]] || fail "jobs are left: $(squeue --noheader)"
ls killed
"$insml" dataset "$study" --n "$images" --out killed --threads 1 --executor slurm --job-folder jobs \
    --job-option timeout_min=30 --job-option cpus_per_task=1
same killed
