#!/bin/sh
# machine.sh - a machine of its own for machine.py: namespaces, a copy of this system, systemd as process 1.
#
#	unshare --mount --propagation=unchanged --pid --fork --net --ipc --uts --cgroup machine.sh FOLDER SOURCE
#
# FOLDER becomes the place of the copy: an overlay, so that nothing is written to this system. SOURCE is
# what `make install DESTDIR=SOURCE` made. Only systemd's own journal and bus run there at first.
# Exit code 77: this host does not let us.
set -u
folder=$1 source=$2
cannot() { echo "machine.sh: cannot $*" >&2; exit 77; }

mount --make-rprivate / || cannot "change the mounts (in a chroot systemd has no user namespaces)"
mount -t tmpfs none "$folder" || cannot "mount a tmpfs"
mkdir "$folder/up" "$folder/work" "$folder/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/up,workdir=$folder/work" "$folder/root" || cannot "mount an overlay"
cd "$folder/root" || exit 1

mount -t proc proc proc || cannot "mount /proc"
{ mount --bind proc/sys proc/sys && mount -o remount,ro,bind proc/sys; } || cannot "close /proc/sys"
mount -t sysfs -o ro sysfs sys || cannot "mount /sys"
mount -t tmpfs none sys/fs/cgroup || cannot "mount /sys/fs/cgroup"
mkdir sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd none sys/fs/cgroup/systemd 2>/dev/null ||
	{ umount sys/fs/cgroup && mount -t cgroup2 none sys/fs/cgroup; } || cannot "mount control groups"
for d in run tmp var/lib/plimsoll etc/plimsoll; do
	mkdir -p "$d"
	mount -t tmpfs -o mode=0755 none "$d" || cannot "mount a tmpfs"
done
chmod 1777 tmp
mount -t tmpfs -o mode=0755 none dev
mkdir dev/shm dev/pts
while read -r name major minor; do
	mknod -m 666 "dev/$name" c "$major" "$minor" || cannot "make devices"
done <<-END
	null 1 3
	zero 1 5
	full 1 7
	random 1 8
	urandom 1 9
	tty 5 0
END
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts || cannot "mount devpts"
mount -t tmpfs none dev/shm
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx

cp -a "$source"/* . # not the folder itself: its mode is not for /
rm -rf etc/systemd/system && mkdir -p etc/systemd/system
printf '[Unit]\nDescription=Nothing to set up\nDefaultDependencies=no\n' | tee etc/systemd/system/sysinit.target \
	>etc/systemd/system/network-online.target
printf '[Unit]\nDescription=The machine\nDefaultDependencies=no\nWants=dbus.socket systemd-journald.service %s\n' \
	'systemd-journald.socket systemd-journald-dev-log.socket' >etc/systemd/system/machine.target
echo 0123456789abcdef0123456789abcdef >etc/machine-id
ip link set lo up || cannot "use a network of our own"
mkdir -p mnt
pivot_root . mnt || cannot "change the root"
cd / && umount -l /mnt
mount --make-rshared / # as a container's manager leaves it: systemd hands credentials over by mounts
exec env -i container=plimsoll PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --system --unit=machine.target --log-target=journal --show-status=no
