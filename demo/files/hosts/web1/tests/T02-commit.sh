#!/bin/sh
set -e
[ "$(cat "$NIXFLEET_DEMO_ROOT/current-system/commit")" = "$(git rev-parse HEAD)" ]
echo "the running configuration is the checked-out commit"
