# Sourced by scripts/prove-package --machine after container.sh: starts the unit in a virtual machine, with the kernel of ./scripts/test-machine for its own, in place of a container.
need_packages qemu-system-x86=qemu-system-x86_64 e2fsprogs=mke2fs
PATH=$PATH:/usr/sbin:/sbin
kernel=$("$root/scripts/test-machine" --image)
[ -e "$kernel/kernel-version" ] || { say 'There is no virtual machine here.'; exit 2; }
disks=$(mktemp -d -p /var/tmp)
trap 'rm -rf "$disks"; clean' EXIT
version=$(cat "$kernel/kernel-version")
processor=(-smp "$(nproc)" -accel kvm -cpu 'host,-arch-capabilities')
# Whether acceleration works here has been found out there.
if [ ! -e "$kernel/ready-accelerated.qcow2" ]; then
  # Each instruction is translated. The machine's time passes by them, a nanosecond each, so that what it takes is what one processor of
  # that speed would, however slow or busy this computer is; time in which it has nothing to do is passed over.
  processor=(-smp 1 -accel 'tcg,thread=single' -cpu max -icount shift=0,sleep=off)
  counted=yes
fi

# start TIMES: runs until it is switched off; it may start anew as often as it likes.
start() {
  echo '/dev/vda / ext4 defaults 0 0' >"$unit/etc/fstab"
  printf '[Service]\nExecStart=/usr/bin/tail -n +1 -F /proof/result\nStandardOutput=tty\nTTYPath=/dev/ttyS0\n' >"$unit/etc/systemd/system/proof-told.service"
  ln -s ../proof-told.service "$unit/etc/systemd/system/default.target.wants/proof-told.service"
  debugfs -R "rdump /usr/lib/modules $unit/usr/lib" "$kernel/root.img" 2>/dev/null
  truncate -s 8G "$disks/root"
  mke2fs -q -t ext4 -d "$unit" "$disks/root"
  say "The machine has Linux $version${counted:+, and one processor that does a thousand million instructions a second of its own time}; what it says is in $log."
  timeout 28800 qemu-system-x86_64 -nodefaults -no-user-config -display none -nic none -machine pc -m 3072 "${processor[@]}" \
    -kernel "$kernel/vmlinuz" -initrd "$kernel/initrd.img" -append 'root=/dev/vda rw console=ttyS0 mitigations=off systemd.mask=serial-getty@ttyS0.service' \
    -serial "file:$log" -drive "file=$disks/root,format=raw,if=virtio,cache=unsafe" >&2 || true
  e2fsck -fy "$disks/root" >/dev/null 2>&1 || true
  for file in result log; do debugfs -R "dump /proof/$file $unit/proof/$file" "$disks/root" 2>/dev/null; done
}
