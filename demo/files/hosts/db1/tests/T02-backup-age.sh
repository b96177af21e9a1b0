#!/bin/sh
echo "looking for a backup younger than a day in /srv/backup"
echo "newest backup: 2026-01-03 (too old)" >&2
echo "this test fails on purpose: the demo shows what a failure looks like" >&2
exit 3
