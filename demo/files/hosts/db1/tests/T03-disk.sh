#!/bin/sh
df -P . | tail -n 1
echo "there is room on the disk"
