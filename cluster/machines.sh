#!/bin/bash
# A Ray cluster on a plain list of machines that ssh reaches, without a cluster manager; from the root of the checkout:
#
#     cluster/machines.sh start HEAD WORKER...   # copies this code, installs it, starts Ray; again: updates and restarts
#     cluster/machines.sh stop HEAD WORKER...    # ends Ray on them
#
# HEAD is a name or address under which the other machines reach it. The token of ~/.ray/auth_token is made where there is
# none, goes to every machine by ssh, and is never part of a command. Python 3.11 is all that they need.
set -euo pipefail

action=${1:?"usage: cluster/machines.sh start|stop HEAD WORKER..."}
head=${2:?"name the head, and the workers after it"}
shift 2
source=$(cd "$(dirname "$0")/.." && pwd)
parts=(suite methods datasets sweeps reports cluster pyproject.toml setup.py constraints.txt README.md LICENSE)
ray='RAY_AUTH_MODE=token "$HOME/suite-venv/bin/ray"'

prepare() {
    tar -C "$source" --exclude __pycache__ -c "${parts[@]}" |
        ssh "$1" 'rm -rf "$HOME/weak-action-suite" && mkdir -p "$HOME/weak-action-suite" && tar -x -C "$HOME/weak-action-suite"'
    ssh "$1" 'umask 077 && mkdir -p "$HOME/.ray" && cat > "$HOME/.ray/auth_token"' < "$HOME/.ray/auth_token"
    ssh "$1" 'sh "$HOME/weak-action-suite/cluster/install.sh" "$HOME/suite-venv"' < /dev/null
    ssh "$1" "$ray stop" < /dev/null
}

case $action in
start)
    if [ ! -s "$HOME/.ray/auth_token" ]; then
        (umask 077 && mkdir -p "$HOME/.ray" && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$HOME/.ray/auth_token")
    fi
    for machine in "$head" "$@"; do prepare "$machine"; done
    ssh "$head" "ulimit -n 65536; $ray start --head --port=6379 --num-cpus=0 --dashboard-host=127.0.0.1" < /dev/null
    for machine in "$@"; do ssh "$machine" "ulimit -n 65536; $ray start --address=$head:6379" < /dev/null; done
    ;;
stop)
    for machine in "$@" "$head"; do ssh "$machine" "$ray stop" < /dev/null; done
    ;;
*)
    echo "machines.sh: '$action' is neither start nor stop." >&2
    exit 2
    ;;
esac
