#!/bin/sh
set -e
[ "$(cat "$DEMO_ROOT/current-system/commit")" = "$(git rev-parse HEAD)" ]
echo "the running configuration is the checked-out commit"
