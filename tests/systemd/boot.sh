#!/bin/sh
# usage: unshare -m sh boot.sh NAME LOWER WORK [nspawn arguments]
# Boots an image with systemd as init: its own cgroup tree, changes kept in WORK over reboots (exit code 133), not beyond.
set -eu
name=$1 lower=$2 work=$3
shift 3
mount --make-rprivate /
umount -l /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p "$work/upper" "$work/work" "$work/root" "/sys/fs/cgroup/nspawn-$name"
mount -t overlay -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/work" none "$work/root"
echo $$ >"/sys/fs/cgroup/nspawn-$name/cgroup.procs" || true
while :; do
  code=0
  SYSTEMD_NSPAWN_LOCK=0 systemd-nspawn -q -D "$work/root" --machine="$name" --register=no --keep-unit -b "$@" || code=$?
  [ $code = 133 ] || exit $code
  echo "$$" >"/sys/fs/cgroup/nspawn-$name/cgroup.procs" || true
done
