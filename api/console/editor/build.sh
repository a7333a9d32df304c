#!/bin/sh
# Build the editor into a folder, away from the checkout: packages by the lock file, then one bundle. Usage: build.sh FOLDER
set -eu
source=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$source"/*.js "$source"/build.mjs "$source"/package.json "$source"/package-lock.json "$work"
cd "$work"
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
node build.mjs "$target"
