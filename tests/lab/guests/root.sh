# root.sh FOLDER NAME ADDRESS: furnishes /mnt, in a mount namespace of its own, with a system on which the packages that were
# unpacked into FOLDER are installed, and keeps it. What is written there is gone with it.
set -e
mount -t tmpfs -o mode=755 guest /mnt
cd /mnt
mkdir -p etc dev proc run root tmp usr upper work var/lib var/log var/mail var/spool
chmod 1777 tmp
ln -s ../run var/run
for part in bin sbin lib lib64; do ln -s usr/$part $part; done
mount -t overlay -o "lowerdir=$1/usr:/usr,upperdir=upper,workdir=work" overlay usr
if [ -d "$1/lib" ]; then cp -a "$1/lib/." usr/lib/; fi
(cd /etc && cp -a --parents ssl alternatives nsswitch.conf services protocols ld.so.conf ld.so.conf.d /mnt/etc)
cp /etc/resolv.conf etc
for part in etc var; do
    if [ -d "$1/$part" ]; then cp -a "$1/$part/." "$part/"; fi
done
for file in passwd group; do
    grep -E '^(root|daemon|bin|mail|uucp|nobody|nogroup):' /etc/$file > etc/$file
done
printf '127.0.0.1 localhost\n%s %s\n' "$3" "$2" > etc/hosts
hostname "$2"
mount --rbind /dev dev
mount -t proc proc proc
ldconfig -r /mnt
touch run/ready
exec sleep infinity
