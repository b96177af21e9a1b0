#!/bin/sh
set -e
system=$DEMO_ROOT/current-system
[ -z "${DEMO_NIX:-}" ] || system=$DEMO_ROOT/run/current-system
grep -F "$(cat hosts/lab1/motd)" "$system/motd"
