# Sourced by scripts/prove-package and scripts/prove-image, after prepare.sh: packages to prove, a bare Debian trixie, and a start of it with a real systemd.
[ "$(id -u)" -eq 0 ] || { say 'This needs root: it starts a container with systemd.'; exit 2; }
need_packages systemd-container=systemd-nspawn mmdebstrap=mmdebstrap

# The packages built now, where none are given.
build_packages() {
  local name
  "$root/scripts/package" --quick
  for name in polewatch polewatch-vision; do built+=("$(ls -t "$root/dist/packages/$name"_*"$(dpkg --print-architecture).deb" | head -1)"); done
}

contents=systemd,systemd-sysv,dbus,udev,nodejs,adduser,openssl,mosquitto,mosquitto-clients,openssh-server,ansible-core,python3-apt,gpiod,alsa-utils,iproute2,nftables
base=${XDG_CACHE_HOME:-$HOME/.cache}/polewatch/trixie-$(printf '%s' "$contents" | sha256sum | cut -c 1-8)
make_base() {
  local mirror
  mirror=$({ cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true; } | awk '/^URIs:/ {print $2; exit} /^deb / {for (i = 2; i <= NF; i++) if ($i ~ /^http/) {print $i; exit}}')
  rm -rf "$base"
  mmdebstrap --quiet --mode=root --variant=minbase --include="$contents" trixie "$base" "deb $mirror trixie main"
  touch "$base.done"
}
[ -e "$base.done" ] || { mkdir -p "$(dirname "$base")"; step 'Making a bare Debian trixie with systemd' make_base; }

# One at a time: two containers would share their control groups, and with them what systemd lets a role reach.
exec 7>"$base.lock"
flock 7
# A unit over it at $unit, in memory. What is written there is gone at the end.
work=$(mktemp -d)
unit=$work/root
# shellcheck disable=SC2317
clean() { umount "$unit" 2>/dev/null || true; umount "$work" 2>/dev/null || true; rmdir "$work" 2>/dev/null || true; }
trap clean EXIT
mount -t tmpfs -o size=6g none "$work"
mkdir "$work/upper" "$work/work" "$unit"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/work" "$unit"
printf "127.0.0.1 localhost\n" >"$unit/etc/hosts"

# proof SCRIPT: what the container runs once it is up; it is switched off when that ends.
proof() {
  mkdir -p "$unit/proof" "$unit/etc/systemd/system/default.target.wants"
  printf '[Unit]\nAfter=multi-user.target\n[Service]\nType=oneshot\nExecStart=/bin/bash /proof/%s\nExecStopPost=/usr/bin/systemctl --no-block poweroff\n' "$1" >"$unit/etc/systemd/system/proof.service"
  ln -s ../proof.service "$unit/etc/systemd/system/default.target.wants/proof.service"
}

# start TIMES OPTION ...: starts it, as often as it wants to start anew (133). The flags let a container manager without systemd of its own start one
# inside; with cgroups of version 2 and BPF there, that one holds roles to their devices and addresses.
start() {
  local times=$1 status
  shift
  while [ "$times" -gt 0 ]; do
    status=0 times=$((times - 1))
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout 2400 systemd-nspawn -q -D "$unit" --boot --register=no --keep-unit --console=pipe --private-network \
      --capability=CAP_BPF,CAP_PERFMON --system-call-filter=bpf "$@" </dev/null >"$log" 2>&1 || status=$?
    [ "$status" = 133 ] || break
  done
}

# outcome FOLDER LAST: prints what was proven; a proof that was not come to counts as failed.
outcome() {
  if [ ! -e "$1/result" ]; then
    say 'The container did not come up. The end of what it said:'
    tail -20 "$log" >&2
    exit 1
  fi
  rm -f "$log"
  cat "$1/result"
  if grep -q '^not ok' "$1/result" || ! grep -qx "ok $2" "$1/result"; then
    cp "$1/log" "$root/dist/packages/proof.log"
    say 'What every command said is in dist/packages/proof.log.'
    exit 1
  fi
}
