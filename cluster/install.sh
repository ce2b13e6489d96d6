#!/bin/sh
# The suite in a virtual environment, in the exact versions of constraints.txt. The Dockerfile, ray-cluster.yaml and
# machines.sh all install with it:
#
#     cluster/install.sh FOLDER [cpu|cuda]
#
# PYTHON       the interpreter (python3)
# TORCH_INDEX  address of a package index with torch's builds for the device, where the usual index has others
set -eu

folder=${1:?"usage: cluster/install.sh FOLDER [cpu|cuda]"}
device=${2:-}
source=$(cd "$(dirname "$0")/.." && pwd)

test -x "$folder/bin/python" || "${PYTHON:-python3}" -m venv "$folder"
# A build of torch for a device is the same version with a suffix (2.13.0+cpu), which pip takes for the newer one.
"$folder/bin/python" -m pip install --quiet --constraint "$source/constraints.txt" \
    ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} "$source[h5,s3,cluster]"

built=$("$folder/bin/python" -c 'import torch; print("cuda" if torch.version.cuda else "cpu")')
if [ -n "$device" ] && [ "$device" != "$built" ]; then
    echo "install.sh: torch was installed for $built, not for $device; name an index with such builds in TORCH_INDEX." >&2
    exit 1
fi
echo "installed for $built in $folder"
