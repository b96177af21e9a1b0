#!/bin/sh
set -e
if [ -n "${DEMO_NIX:-}" ]; then
  profile=$DEMO_ROOT/nix/var/nix/profiles/system
  [ "$(readlink -f "$profile")" = "$(readlink -f "$DEMO_ROOT/run/current-system")" ]
  echo "the current system is the profile's generation"
else
  [ "$(cat "$DEMO_ROOT/current-system/commit")" = "$(git rev-parse HEAD)" ]
  echo "the current system is the checked-out commit (no Nix on this machine)"
fi
