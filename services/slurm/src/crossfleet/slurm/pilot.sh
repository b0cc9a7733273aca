#!/bin/sh
# A pilot: one worker on one node, with a state folder that goes with it. The arguments are the worker's command.
# sbatch copies this file; nothing in it depends on the fleet.
umask 077
folder=${TMPDIR:-/tmp}
cache=$folder/crossfleet-cache-$(id -u)
home=$(mktemp -d "$folder/crossfleet-$SLURM_JOB_ID-XXXXXX") || exit 1
# What somebody else made beforehand under this name is not used.
mkdir -p "$cache" && [ -O "$cache" ] && [ ! -L "$cache" ] || cache=$home/cache
case " $* " in *' --cache '*) ;; *) set -- "$@" --cache "$cache" ;; esac

# Slurm sends USR1 to this shell alone, some time before the limit: the worker leaves in good order. SIGTERM it sends to all
# processes of a job, the worker too, and a second one would make that leave at once.
trap 'kill -TERM "$worker" 2> /dev/null' USR1
trap : TERM
"$@" --name "$SLURM_JOB_NAME-$SLURM_JOB_ID" --state "$home" &
worker=$!
status=0
# A trap ends wait, not the worker.
while kill -0 "$worker" 2> /dev/null; do
    wait "$worker"
    status=$?
done
rm -rf "$home"
exit "$status"
