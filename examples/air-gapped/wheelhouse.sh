#!/usr/bin/env bash
# On a machine with a network, of the same kind and with the same Python as the closed one: all wheels that lynkr needs, into FOLDER.
# wheelhouse.sh FOLDER [REQUIREMENTS]
set -euo pipefail
folder=$(realpath -m "$1")
requirements=$(realpath "${2:-"$(dirname "$0")/requirements.txt"}")
cd "$(dirname "$0")/../.."
mkdir -p "$folder"
uv build -q --all-packages --wheel -o "$folder/built" # this clone's own packages
uv run -q --no-project --with pip python -m pip download -q --disable-pip-version-check \
  --only-binary :all: --find-links "$folder/built" -d "$folder" -r "$requirements"
rm -r "$folder/built" # those that are wanted were copied
cp "$requirements" "$folder/requirements.txt"
