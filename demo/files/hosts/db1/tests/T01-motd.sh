#!/bin/sh
set -e
cmp "$DEMO_ROOT/current-system/motd" "hosts/$NIXFLEET_HOSTNAME/motd"
echo "the message of the day is as configured"
