#!/bin/sh
# Runs inside the new root: installs the packages beside it, and takes the compiler away again.
set -eu
cd "$(dirname "$0")"
# An authority that this machine trusts besides Debian's.
if [ -f ca.pem ]; then
  PIP_CERT="$PWD/ca.pem"
  # pip lets this one win, whatever --cert says.
  REQUESTS_CA_BUNDLE="$PIP_CERT"
  export PIP_CERT REQUESTS_CA_BUNDLE
fi
# Debian keeps the last pip for Python 2.7 as a wheel, with what it needs beside it. Each package is named, so none is
# chosen here; the suite itself asks for some that no longer go together.
python2.7 "$(ls /usr/share/python-wheels/pip-*.whl)/pip" install --no-deps --no-cache-dir --no-warn-script-location \
  --disable-pip-version-check -r requirements.txt
apt-get purge --yes --auto-remove gcc libc6-dev python2.7-dev
wstest --help >/dev/null
