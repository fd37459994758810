# Sourced by the other scripts. Installs what is missing on a Debian, and builds. Everything it says goes to standard
# error, so that a command's standard output stays its own.
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
log=${TMPDIR:-/tmp}/polewatch-prepare.$$.log

say() { printf '%s\n' "$*" >&2; }

# step TITLE COMMAND [ARG ...]: runs a long command with its output in a log and its time on the screen.
step() {
  local title=$1 started=$SECONDS pid status=0
  shift
  [ -t 2 ] || printf '%s …\n' "$title" >&2
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    [ -t 2 ] && printf '\r%s … %d s' "$title" $((SECONDS - started)) >&2
    sleep 0.3
  done
  wait "$pid" || status=$?
  [ -t 2 ] && printf '\r\033[K' >&2
  if [ "$status" -ne 0 ]; then
    say "$title: failed. The end of what it said:"
    tail -n 20 "$log" >&2
    rm -f "$log"
    exit 1
  fi
  rm -f "$log"
  say "$title: $((SECONDS - started)) s"
}

# A program is found by its name, a package without a program by a file of it.
missing_packages() {
  local entry
  for entry in "$@"; do
    case ${entry#*=} in
      /*) [ -e "${entry#*=}" ] || printf '%s ' "${entry%%=*}" ;;
      *) PATH=$PATH:/usr/sbin:/sbin command -v "${entry#*=}" >/dev/null || printf '%s ' "${entry%%=*}" ;;
    esac
  done
}

# need_packages PACKAGE=PROGRAM …: installs the Debian packages whose program is not there.
need_packages() {
  local missing super=
  missing=$(missing_packages "$@")
  missing=${missing% }
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    if sudo -n true 2>/dev/null; then super='sudo'; else
      say "These Debian packages are missing and this user may not install them. Run:"
      say "  sudo apt-get update && sudo apt-get install --yes --no-install-recommends $missing"
      exit 1
    fi
  fi
  # shellcheck disable=SC2086
  step "Installing Debian packages ($missing)" $super sh -c "apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends $missing"
}

need_node() {
  command -v node >/dev/null || need_packages nodejs=node npm=npm
  if ! node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'; then
    say "polewatch needs Node.js 20.19 or newer; this is $(node --version). Debian 13 and Raspberry Pi OS 13 have it: apt-get install nodejs npm"
    exit 1
  fi
  command -v npm >/dev/null || need_packages npm=npm
}

# The folder whose include/node holds the headers of this Node.js.
node_headers() {
  local prefix
  prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  [ -e "$prefix/include/node/node_api.h" ] && printf '%s' "$prefix"
}

# SQLite calls fsync for fdatasync unless told that it may not: the times of files alone would cost the flash three blocks a commit.
native_flags=-DHAVE_FDATASYNC=1
export CPPFLAGS="${CPPFLAGS:-} $native_flags"

build_native() {
  need_packages g++=g++ make=make python3=python3
  [ -n "$(node_headers)" ] || need_packages libnode-dev=/usr/include/node/node_api.h
  step 'Compiling SQLite, epoll and the link to systemd for this machine' env JOBS=max npm_config_nodedir="$(node_headers)" npm_config_build_from_source=true \
    npm rebuild better-sqlite3 unix-dgram epoll --ignore-scripts=false
}

# Installs the packages of the lockfile; the stamp holds what was installed, for which Node.js and how it was compiled.
need_modules() {
  local stamp=$root/node_modules/.polewatch wanted
  wanted="$(sha256sum <"$root/package-lock.json") $(node --version) $(uname -m) $native_flags"
  [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return 0
  need_node
  cd "$root" || exit 1
  step 'Installing npm packages' npm ci --no-audit --no-fund
  build_native
  printf '%s' "$wanted" >"$stamp"
}

# The stamp is made before the compiler starts, so that a file changed meanwhile counts as newer.
need_build() {
  [ -e "$root/dist/.built" ] && [ -z "$(cd "$root" && find gateway drivers scripts test package-lock.json tsconfig.json \( -name '*.ts' -o -name '*.json' \) -newer dist/.built -print -quit)" ] && return 0
  mkdir -p "$root/dist"
  touch "$root/dist/.building"
  step 'Compiling' node "$root/node_modules/typescript/bin/tsc" -p "$root"
  mv "$root/dist/.building" "$root/dist/.built"
}

# One at a time: two commands started together must not install or compile over each other.
prepare() {
  exec 9>"$root/.prepare.lock"
  flock 9
  command -v node >/dev/null || need_node
  need_modules
  need_build
  exec 9>&-
}
